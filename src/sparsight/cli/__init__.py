"""The command line, one file for each command."""


def main() -> None:
    """Run the command line, as ``sparsight`` does."""
    from .app import app

    app(prog_name="sparsight")

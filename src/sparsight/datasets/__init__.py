"""Images to learn from: folders of files, and synthetic samples."""

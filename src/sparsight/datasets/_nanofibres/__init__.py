"""Synthetic scanning-electron images of fibre mats, built in four steps.

``mat`` lays the fibres in world units, ``surface`` finds which fibre each pixel sees, ``defects``
changes that surface locally, and ``acquisition`` turns it into the image a microscope delivers.
"""

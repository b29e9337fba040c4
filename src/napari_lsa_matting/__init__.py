"""napari plugin for natural image matting; everything is computed by :mod:`lsa_engine`."""

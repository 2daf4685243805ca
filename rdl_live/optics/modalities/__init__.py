"""The program's own modalities, one a file; the table of them is `rdl_live.optics.modality_kinds.MODALITIES`."""

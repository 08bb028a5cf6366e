"""The lines of pretraining cells in the trackers that people already use."""

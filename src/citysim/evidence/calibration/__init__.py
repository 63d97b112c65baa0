"""Calibration of levels: waves of runs, an emulator, and the ensemble of points that fit."""

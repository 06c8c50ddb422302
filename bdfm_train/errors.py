# SPDX-License-Identifier: MIT
"""Errors of the training package, each with a message that says what to do."""

from __future__ import annotations

from bdfm_infer.errors import BdfmError


class SourcesError(BdfmError):
    """The folder of source data is not named, or a file in it is missing or not the expected one."""

    code = "bad_sources"
    exit_code = 30


class RecipeError(BdfmError):
    """A data file of the face model (recipe of action units, identity table) names something that does not exist."""

    code = "bad_recipe"
    exit_code = 31


class HeadFileError(BdfmError):
    """A built head is missing or was written by another version."""

    code = "bad_head"
    exit_code = 32


class ConfigError(BdfmError):
    """A configuration or an option is unknown, or asks for what cannot be."""

    code = "bad_config"
    exit_code = 33


class CheckpointError(BdfmError):
    """A checkpoint is missing or belongs to another configuration."""

    code = "bad_checkpoint"
    exit_code = 34


class MeasureError(BdfmError):
    """A figure cannot be computed from what there is."""

    code = "no_figure"
    exit_code = 35


class PairsError(BdfmError):
    """A shard of pairs for G is damaged, of another form, or cannot be written."""

    code = "bad_pairs"
    exit_code = 36


class PublishedWeightsError(BdfmError):
    """A file of weights that others published is missing, damaged, or another one than the network needs."""

    code = "bad_published_weights"
    exit_code = 40


class IdentityShardError(BdfmError):
    """A shard of renders by identity is missing, damaged, of another form, or cannot be written."""

    code = "bad_identities"
    exit_code = 41


class DivergedError(BdfmError):
    """A loss is no longer a finite number; the last checkpoint is intact."""

    code = "diverged"
    exit_code = 37


class ArraysError(BdfmError):
    """A file of arrays (renders, crops, photos) is missing, damaged or of another kind, or cannot be written."""

    code = "bad_arrays"
    exit_code = 38


class FitError(BdfmError):
    """A head cannot be fitted to what was given as landmarks."""

    code = "no_fit"
    exit_code = 45


class DatasetError(BdfmError):
    """A folder of labelled faces differs from its published layout, lacks a file, or holds a label out of range."""

    code = "bad_dataset"
    exit_code = 50

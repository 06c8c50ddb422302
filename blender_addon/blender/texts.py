# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the artist's language. ``core`` and ``bdfm_infer``, which raise them, know no Blender."""

from __future__ import annotations

from bpy.app.translations import pgettext_rpt as rpt_

from bdfm_infer.errors import BdfmError

from ..core.paths import shown


def artist_text(error: Exception) -> str:
    """What an artist reads of an error: in Blender's language, in English where there is no translation that fits."""
    if isinstance(error, BdfmError):
        values = {name: artist_text(v) if isinstance(v, BdfmError) else v for name, v in error.values.items()}
        try:
            template = rpt_(shown(error.template))
            return shown(template.format(**values) if values else template)
        except Exception:  # a translation may ask for anything
            pass
    return shown(error)

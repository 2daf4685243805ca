"""Labels whose text wraps without being cut off."""

from qtpy.QtWidgets import QLabel, QSizePolicy


def wrapped(text: str = "") -> QLabel:
    """Return a label that takes the width that there is, and the height that its text then needs.

    Setting a size policy makes Qt forget that a wrapped text's height depends on its width; here it does not.
    """
    label = QLabel(text)
    label.setWordWrap(True)
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label

"""The network of the sequence reader: a picture of a text to class scores for each of its columns.

A convolutional recurrent network (Shi et al. 2015): four convolutions that leave an eighth of the rows and a quarter of
the columns, residual ones (He et al. 2016), one that turns four rows into channels, of whose places the best counts,
one along the columns, a bidirectional GRU, and scores of every character and of the blank that CTC (Graves et al. 2006)
needs. The same weights take pictures of any height from 32 pixels on: 32 have one place of four rows, 48 have three.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.recognise.networks.batch_norm import BatchNorm

LEAST_HEIGHT = 32  # pixels
ROWS = 8  # pixels of height to one row after the convolutions
STRIDE = 4  # pixels of width to one column of scores
ROWS_UNTIL = 15  # layers of the convolutions that keep all rows
JOINED_UNTIL = 18  # layers up to the one that joins four rows
BLANK = 0  # the class that separates characters
# Whether the processor computes in bfloat16: the convolutions then take half the time, at the same accuracy.
BFLOAT16 = bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


class SequenceNetwork(nn.Module):
    """Pictures [N, 3, H, W] to scores [N, W / 4, 1 + K], class 0 being CTC's blank.

    A class may be drawn in several forms (a label folded to `a` stands for the pictures of `a` and of `A`): the
    output layer has a row for each form, and a class scores the log of its forms' summed exponentials.

    Args:
        forms: of each of the K classes, how many.
        widths: channels of the four convolutions.
        features: channels of each column that the recurrent layer takes.
        hidden: units of the recurrent layer in each direction.
        residuals: residual convolutions on these rows; a new one leaves its input as it is until it is trained.
    """

    members: Tensor

    def __init__(
        self,
        forms: Sequence[int],
        widths: tuple[int, int, int, int] = (32, 64, 128, 160),
        features: int = 192,
        hidden: int = 128,
        residuals: int = 0,
    ) -> None:
        super().__init__()
        a, b, c, d = widths
        self.columns = nn.Sequential(
            *_block(3, a, 3, 1),  # [N, a, H, W]
            nn.MaxPool2d(2),  # [N, a, H / 2, W / 2]
            *_block(a, b, 3, 1),
            nn.MaxPool2d(2),  # [N, b, H / 4, W / 4]
            *_block(b, c, 3, 1),
            nn.MaxPool2d((2, 1)),  # [N, c, H / 8, W / 4]
            *_block(c, d, 3, 1),
            *_block(d, features, (4, 1), 0),  # [N, features, H / 8 - 3, W / 4]
            *_block(features, features, (1, 3), (0, 1)),
        )
        self.residuals = nn.ModuleList(_residual(d) for _ in range(residuals))
        self.recurrent = nn.GRU(features, hidden, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(2 * hidden, 1 + sum(forms))
        self.register_buffer("members", _members(forms), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores before the softmax: float32 [N, 3, H, W] (standardised) to float32 [N, W // 4, 1 + K]."""
        context, _ = self.recurrent(self.described(pictures))  # [N, T, 2 * hidden]
        scores: Tensor = self.output(self.dropout(context))  # [N, T, 1 + R]
        if self.members.shape[1] == 1:
            return scores
        absent = scores.new_full((*scores.shape[:2], 1), -torch.inf)
        return torch.cat([scores, absent], 2)[..., self.members].logsumexp(-1)  # [N, T, 1 + K]

    def described(self, pictures: Tensor) -> Tensor:
        """What the convolutions make of each column: float32 [N, 3, H, W] to float32 [N, W // 4, F]."""
        with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
            rows = self.columns[:ROWS_UNTIL](pictures)  # [N, D, H / 8, T]
            for residual in self.residuals:
                rows = F.relu(rows + residual(rows))
            places = self.columns[ROWS_UNTIL:JOINED_UNTIL](rows)  # [N, F, H / 8 - 3, T]
            columns = self.columns[JOINED_UNTIL:](places.amax(2, keepdim=True))  # [N, F, 1, T]
        described: Tensor = columns.squeeze(2).transpose(1, 2).float()
        return described


def _members(forms: Sequence[int]) -> Tensor:
    """Rows of the output layer that each class adds up: int64 [1 + K, M], filled with the row after the last."""
    members = torch.full((1 + len(forms), max(forms, default=1)), 1 + sum(forms))
    members[BLANK, 0] = BLANK
    row = 1
    for k, count in enumerate(forms):
        members[1 + k, :count] = torch.arange(row, row + count)
        row += count
    return members


def _block(
    inputs: int, outputs: int, kernel: int | tuple[int, int], padding: int | tuple[int, int]
) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False),
        BatchNorm(outputs),
        nn.ReLU(inplace=True),
    )


def _residual(channels: int) -> nn.Sequential:
    """What is added to a map: a convolution whose normalisation starts at 0."""
    normalisation = BatchNorm(channels)
    nn.init.zeros_(normalisation.weight)
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), normalisation)

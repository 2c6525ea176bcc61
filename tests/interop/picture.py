# SPDX-License-Identifier: Apache-2.0
"""The code of the test picture (docs/test-picture.md) drawn and read with numpy, and the pitch of a
tone. Works on planes of luma in limited range."""
import binascii
import struct

import numpy

COLUMNS, ROWS, BLACK, WHITE = 16, 24, 16, 235
CODE_ROW, CODE_ROWS = 18, 6


def bits_of(number, milliseconds):
    body = struct.pack(">I", number & 0xFFFFFFFF) + (milliseconds & 0xFFFFFFFFFFFF).to_bytes(6, "big")
    return numpy.unpackbits(numpy.frombuffer(body + struct.pack(">H", binascii.crc_hqx(body, 0xFFFF)), "u1"))


def draw(width, height, number, milliseconds=0):
    """The luma plane of picture `number`: something that moves, and the code below it."""
    luma = numpy.full((height, width), BLACK, "u1")
    luma[height // 12:height * 18 // ROWS] = numpy.linspace(BLACK, WHITE, width).astype("u1")
    left = number * 4 % (width - width // 8)
    luma[height // 4:height // 2, left:left + width // 8] = WHITE
    for i, bit in enumerate(bits_of(number, milliseconds)):
        row, column = CODE_ROW + i // COLUMNS, i % COLUMNS
        luma[height * row // ROWS:height * (row + 1) // ROWS,
             width * column // COLUMNS:width * (column + 1) // COLUMNS] = WHITE if bit else BLACK
    return luma


def draw_i420(width, height, number, milliseconds=0):
    """All three planes below each other, as PyAV and wrtc want them: height * 3 / 2 rows."""
    return numpy.vstack([draw(width, height, number, milliseconds),
                         numpy.full((height // 2, width), 128, "u1")])


def read(luma):
    """The frame number in the picture, or None."""
    height, width = luma.shape
    steps = numpy.arange(5)
    rows = (height * (8 * numpy.arange(CODE_ROW, CODE_ROW + CODE_ROWS)[:, None] + 2 + steps) // (8 * ROWS)).ravel()
    columns = (width * (8 * numpy.arange(COLUMNS)[:, None] + 2 + steps) // (8 * COLUMNS)).ravel()
    means = luma[numpy.ix_(rows, columns)].reshape(CODE_ROWS, 5, COLUMNS, 5).mean(axis=(1, 3)).ravel()
    if means.max() - means.min() < 64:
        return None
    raw = numpy.packbits(means > (means.max() + means.min()) / 2).tobytes()
    if struct.unpack(">H", raw[10:])[0] != binascii.crc_hqx(raw[:10], 0xFFFF):
        return None
    return struct.unpack(">I", raw[:4])[0]


def pitch(samples, rate):
    """The strongest frequency of a mono signal, in hertz."""
    samples = numpy.asarray(samples, "f8")
    spectrum = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples)), 4 * len(samples)))
    return float(spectrum.argmax()) * rate / (4 * len(samples))


def tone(count, start, rate, hertz=660):
    """Samples of 16 bits of a continuous tone, the first of them being number `start`."""
    return (8000 * numpy.sin(2 * numpy.pi * hertz * (start + numpy.arange(count)) / rate)).astype("<i2")


class Numbers:
    """Which frame numbers a receiver read: how many, and whether one ever went back."""

    def __init__(self):
        self.frames = self.read = self.disordered = 0
        self.last = None

    def add(self, luma):
        self.frames += 1
        number = read(luma)
        if number is None:
            return
        self.read += 1
        self.disordered += self.last is not None and number <= self.last
        self.last = number

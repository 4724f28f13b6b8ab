"""TensorFlow as a client of record files: run by tensorflow.rs, which knows what has to come out.

read FILE OUT RATE   parses FILE with ddsp's feature spec; every value as raw floats in OUT
write FILE           writes three records with TensorFlow's own classes
"""

import pathlib
import sys

import tensorflow as tf


def ddsp_spec(sample_rate, n_frames=1000, secs=4):
    """The features that ddsp's TFRecordProvider asks for (its legacy one at 16 kHz: no audio_16k)."""
    floats = lambda n: tf.io.FixedLenFeature([n], dtype=tf.float32)
    spec = {"audio": floats(secs * sample_rate)}
    if sample_rate != 16000:
        spec["audio_16k"] = floats(secs * 16000)
    return spec | {name: floats(n_frames) for name in ("f0_hz", "f0_confidence", "loudness_db")}


def read(file, out, sample_rate):
    spec = ddsp_spec(int(sample_rate))
    dataset = tf.data.TFRecordDataset(file).map(lambda data: tf.io.parse_single_example(data, spec))
    for i, example in enumerate(dataset):
        for name, value in example.items():
            path = pathlib.Path(out) / f"{i}-{name}"
            path.write_bytes(value.numpy().astype("<f4").tobytes())


def write(file):
    def feature(value):
        if isinstance(value[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=value))
        if isinstance(value[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value))

    with tf.io.TFRecordWriter(file) as writer:
        for i in range(3):
            values = {
                # Exact in 32 bits.
                "audio": [(n % 256 - 128) / 128 + i / 4096 for n in range(64000)],
                "f0_hz": [440.0 + i] * 1000,
                "f0_confidence": [0.5] * 1000,
                "loudness_db": [-30.25] * 1000,
                "id": [f"größe {i}".encode()],
                "instrument/family": [8 if i == 1 else 4],
                "pitch": [60 + i],
                "velocity": [-1],
            }
            example = tf.train.Example(
                features=tf.train.Features(feature={k: feature(v) for k, v in values.items()})
            )
            writer.write(example.SerializeToString())


if __name__ == "__main__":
    {"read": read, "write": write}[sys.argv[1]](*sys.argv[2:])

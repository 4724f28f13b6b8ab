"""TensorBoard as a client of event files: run by tensorboard.rs, which knows what has to come out.

Prints what a run folder holds as JSON: for each tag the scalars, sounds and pictures by step.
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# 0 keeps every event of a kind.
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "audio": 0, "images": 0})
events.Reload()
tags = events.Tags()
audio = lambda a: [a.step, a.sample_rate, a.content_type, a.length_frames, list(a.encoded_audio_string)]
image = lambda i: [i.step, i.width, i.height, list(i.encoded_image_string)]
found = {
    "scalars": {tag: [[s.step, s.value] for s in events.Scalars(tag)] for tag in tags["scalars"]},
    "audio": {tag: [audio(a) for a in events.Audio(tag)] for tag in tags["audio"]},
    "images": {tag: [image(i) for i in events.Images(tag)] for tag in tags["images"]},
}
print(json.dumps(found))

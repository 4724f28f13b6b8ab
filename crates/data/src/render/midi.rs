//! The notes of a Standard MIDI File, channel by channel.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use midly::{MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};

use super::soundfont::{FONT_RATE, NoteEvent};
use crate::error::{Error, Result};
use crate::quiet::quietly;

/// Microseconds of a quarter note where a file does not say: 120 a minute.
const DEFAULT_TEMPO: f64 = 500_000.0;

/// The channel of drums, counted from 0.
const DRUM_CHANNEL: u8 = 9;

/// How the names of MIDI files end.
pub(super) const EXTENSIONS: [&str; 2] = ["mid", "midi"];

/// The longest file: a damaged tempo or time makes years of a few bytes.
const MOST_SECS: f64 = 7200.0;

/// The largest file; its events take some twenty times as much memory.
const MOST_BYTES: u64 = 4 << 20;

/// The notes of one channel, in order of time.
pub(super) struct Part {
    /// From 1 to 16, as musicians count.
    pub(super) channel: u8,
    pub(super) events: Vec<NoteEvent>,
}

/// A message with its time in ticks from the beginning.
struct Timed {
    ticks: u64,
    /// Channel and note event without its time, or a tempo.
    what: What,
}

enum What {
    Tempo(f64),
    Note { channel: u8, key: u8, velocity: u8 },
}

/// The parts of a file that hold notes, without the drums.
pub(super) fn read_parts(path: &Path) -> Result<Vec<Part>> {
    let refuse = |reason: String| Error::Data(format!("{}: {reason}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refuse(format!("longer than {MOST_BYTES} bytes: not a MIDI file of notes")));
    }
    // A header with -128 frames a second makes the parser negate what has no opposite.
    let parsed = quietly(|| Smf::parse(&bytes))
        .map_err(|_| refuse("not a MIDI file: its header is damaged".to_owned()))?;
    let smf = parsed.map_err(|e| refuse(format!("not a MIDI file: {e}")))?;
    let mut messages: Vec<Timed> = smf.tracks.iter().flat_map(|track| timed(track)).collect();
    // Stable: what is simultaneous keeps its order within a track.
    messages.sort_by_key(|message| message.ticks);
    let mut parts: BTreeMap<u8, Vec<NoteEvent>> = BTreeMap::new();
    let mut clock = Clock::new(smf.header.timing);
    for message in messages {
        let secs = clock.secs_at(message.ticks);
        match message.what {
            What::Tempo(tempo) => clock.tempo = tempo,
            What::Note { channel, key, velocity } if channel != DRUM_CHANNEL => {
                if secs > MOST_SECS {
                    return Err(refuse(format!("longer than {MOST_SECS} s; cut it into pieces")));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between 0 and two hours of samples"
                )]
                let at = (secs * f64::from(FONT_RATE)).round() as u32;
                parts.entry(channel).or_default().push(NoteEvent { at, key, velocity });
            }
            What::Note { .. } => {}
        }
    }
    let sounds = |events: &Vec<NoteEvent>| events.iter().any(|event| event.velocity > 0);
    let parts: Vec<Part> = parts
        .into_iter()
        .filter(|(_, events)| sounds(events))
        .map(|(channel, events)| Part { channel: channel + 1, events })
        .collect();
    if parts.is_empty() {
        return Err(refuse("it holds no notes but drums".to_owned()));
    }
    Ok(parts)
}

fn timed<'a>(track: &'a [midly::TrackEvent<'a>]) -> impl Iterator<Item = Timed> + 'a {
    let mut ticks = 0_u64;
    track.iter().filter_map(move |event| {
        ticks += u64::from(event.delta.as_int());
        let what = match event.kind {
            TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => {
                What::Tempo(f64::from(tempo.as_int()))
            }
            TrackEventKind::Midi { channel, message } => {
                let (key, velocity) = match message {
                    MidiMessage::NoteOn { key, vel } => (key, vel.as_int()),
                    MidiMessage::NoteOff { key, .. } => (key, 0),
                    _ => return None,
                };
                What::Note { channel: channel.as_int(), key: key.as_int(), velocity }
            }
            _ => return None,
        };
        Some(Timed { ticks, what })
    })
}

/// Ticks to seconds, the tempo changing on the way.
struct Clock {
    timing: Timing,
    /// Microseconds of a quarter note.
    tempo: f64,
    ticks: u64,
    secs: f64,
}

impl Clock {
    fn new(timing: Timing) -> Self {
        Self { timing, tempo: DEFAULT_TEMPO, ticks: 0, secs: 0.0 }
    }

    /// The time of `ticks`, which never goes back.
    fn secs_at(&mut self, ticks: u64) -> f64 {
        let secs_per_tick = match self.timing {
            Timing::Metrical(per_quarter) => {
                1e-6 * self.tempo / f64::from(per_quarter.as_int().max(1))
            }
            Timing::Timecode(fps, per_frame) => {
                1.0 / f64::from(fps.as_f32()) / f64::from(per_frame.max(1))
            }
        };
        self.secs += (ticks - self.ticks) as f64 * secs_per_tick;
        self.ticks = ticks;
        self.secs
    }
}

//! A SoundFont of one sample, made here.
#![allow(dead_code, reason = "each test file uses some of these")]

/// Samples of a period at 44.1 kHz: 441 Hz, where the key it is said to be, 69, would be 440 Hz.
const PERIOD: usize = 100;

/// What the sample really sounds at key 69, Hz.
pub const TRUE_HZ: f32 = 441.0;

/// Generators of SoundFont 2.04, section 8.1.3.
const INSTRUMENT: u16 = 41;
const SAMPLE_ID: u16 = 53;
const SAMPLE_MODES: u16 = 54;

/// Presets 0:0 `Test Piano`, 0:40 `Test Violin` and 128:0 `Test Kit`, all the same looped tone.
pub fn tiny_soundfont() -> Vec<u8> {
    let n = 40 * PERIOD;
    let wave: Vec<u8> = (0..n + 64)
        .flat_map(|i| {
            let turns = (i % PERIOD) as f64 / PERIOD as f64;
            let partial =
                |k: i32| (std::f64::consts::TAU * f64::from(k) * turns).sin() / f64::from(k);
            let sample = 8000.0 * (1..=8).map(partial).sum::<f64>();
            #[expect(clippy::cast_possible_truncation, reason = "8000 times at most 2")]
            (sample as i16).to_le_bytes()
        })
        .collect();
    let info =
        [chunk(b"ifil", &[2, 0, 1, 0]), chunk(b"isng", b"EMU8000\0"), chunk(b"INAM", b"tiny\0\0")];
    let presets = [("Test Piano", 0, 0), ("Test Violin", 40, 0), ("Test Kit", 0, 128)];
    let phdr = presets
        .iter()
        .zip(0_u16..)
        .flat_map(|(&(name, program, bank), bag)| preset(name, program, bank, bag))
        .chain(preset("EOP", 0, 0, 3))
        .collect::<Vec<_>>();
    let words = |words: &[u16]| words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
    let instrument = |name: &str, bag: u16| [padded(name), bag.to_le_bytes().to_vec()].concat();
    let pdta = [
        chunk(b"phdr", &phdr),
        chunk(b"pbag", &words(&[0, 0, 1, 0, 2, 0, 3, 0])),
        chunk(b"pmod", &[0; 10]),
        chunk(b"pgen", &words(&[INSTRUMENT, 0, INSTRUMENT, 0, INSTRUMENT, 0, 0, 0])),
        chunk(b"inst", &[instrument("Tone", 0), instrument("EOI", 1)].concat()),
        chunk(b"ibag", &words(&[0, 0, 2, 0])),
        chunk(b"imod", &[0; 10]),
        chunk(b"igen", &words(&[SAMPLE_MODES, 1, SAMPLE_ID, 0, 0, 0])),
        chunk(b"shdr", &[sample("tone", n), sample("EOS", 0)].concat()),
    ];
    let body = [
        b"sfbk".to_vec(),
        chunk(b"LIST", &[b"INFO".to_vec(), info.concat()].concat()),
        chunk(b"LIST", &[b"sdta".to_vec(), chunk(b"smpl", &wave)].concat()),
        chunk(b"LIST", &[b"pdta".to_vec(), pdta.concat()].concat()),
    ];
    chunk(b"RIFF", &body.concat())
}

fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).expect("a small chunk");
    [name, &len.to_le_bytes()[..], data].concat()
}

fn padded(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(20, 0);
    bytes
}

fn preset(name: &str, program: u16, bank: u16, bag: u16) -> Vec<u8> {
    let numbers = [program, bank, bag].map(u16::to_le_bytes).concat();
    [padded(name), numbers, vec![0; 12]].concat()
}

/// A sample from 0 to `end` that loops over all but its first and last period.
fn sample(name: &str, end: usize) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).expect("a short sample").to_le_bytes();
    let (start_loop, end_loop) = (PERIOD.min(end), end.saturating_sub(PERIOD));
    let numbers = [0, end, start_loop, end_loop, 44_100].map(word).concat();
    // Original key, correction in cents, no link, a mono sample.
    [padded(name), numbers, vec![69, 0, 0, 0, 1, 0]].concat()
}

/// A MIDI file: on channel 1 a slow scale of six notes, on channel 10 a drum.
pub fn tiny_midi() -> Vec<u8> {
    // 480 ticks a quarter; 60 quarters a minute.
    let mut track = vec![0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, 0, 0x99, 36, 100];
    for key in [60, 62, 64, 65, 67, 69] {
        // On; off after 480 ticks.
        track.extend([0, 0x90, key, 90, 0x83, 0x60, 0x80, key, 0]);
    }
    track.extend([0, 0xff, 0x2f, 0]);
    let len = u32::try_from(track.len()).expect("a short track").to_be_bytes();
    [b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0MTrk", &len[..], &track].concat()
}

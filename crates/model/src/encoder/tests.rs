use super::*;
use crate::architecture::Architecture;
use crate::testing::{Example, small_config};

/// `z` of sounds with an encoder of the preset's kind, `[n_frames, n_examples, z_len]`.
fn encode(sounds: &[&[f32]], n_frames: usize) -> Vec<f32> {
    let config = small_config("nsynth-ae");
    let architecture = Architecture::new(&config);
    let encoder = architecture.encoder.as_ref().expect("the preset has one");
    let parameters = architecture.table().initial_parameters(3).values;
    let mut cache = EncoderCache::new(encoder, sounds[0].len(), n_frames, sounds.len());
    encoder.forward(&parameters, sounds, &mut cache);
    cache.z().to_vec()
}

#[test]
fn z_has_a_row_for_every_frame_and_example() {
    let config = small_config("nsynth-ae");
    let [rising, falling] = [Example::rising(&config, 40), Example::falling(&config, 40)];
    let sounds = [rising.features().audio, falling.features().audio];
    let together = encode(&sounds, 40);
    assert_eq!(together.len(), 40 * 2 * 3, "frames, examples, width");
    for (example, sound) in sounds.into_iter().enumerate() {
        let rows = together.chunks(3).skip(example).step_by(2);
        for (alone, together) in encode(&[sound], 40).iter().zip(rows.flatten()) {
            // The same sums of a few products, in another order.
            assert!((alone - together).abs() < 1e-6, "{example}: {alone} != {together}");
        }
    }
}

#[test]
fn z_follows_the_sound_and_not_its_level() {
    let config = small_config("nsynth-ae");
    let sound = Example::rising(&config, 40);
    let audio = sound.features().audio;
    let louder: Vec<f32> = audio.iter().map(|x| 4.0 * x).collect();
    let z = encode(&[audio], 40);
    let change = |other: &[f32]| {
        z.iter().zip(other).fold(0.0_f32, |largest, (a, b)| largest.max((a - b).abs()))
    };
    // A level is an offset of the logarithms, which the mean over time takes away, but where the
    // sound is as soft as what keeps the logarithm finite.
    let (by_level, by_sound) = (
        change(&encode(&[&louder], 40)),
        change(&encode(&[Example::falling(&config, 40).features().audio], 40)),
    );
    assert!(by_level < 0.1 * by_sound, "level moves z by {by_level}, the sound by {by_sound}");
}

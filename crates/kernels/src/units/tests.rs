use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;

/// Compares `f` with a golden case.
fn golden(operation: &mut Operation, case: &str, tolerance: Tolerance, f: impl Fn(f32) -> f32) {
    let x = Golden::open("scaling").values(&format!("{case}.in.x"));
    let y: Vec<f32> = x.into_iter().map(f).collect();
    operation.golden(&format!("scaling/{case}"), "y", &y, tolerance);
}

/// Checks a derivative at `points`, each alone, and where scales are extreme; `step` is relative.
fn gradient(
    operation: &mut Operation,
    input: &'static str,
    points: &[f32],
    formula: impl Fn(f64) -> f64,
    backward: impl Fn(f32, f32) -> f32,
) {
    for &x in points {
        let step = 1e-4 * f64::from(x.abs()).max(1e-40);
        operation.gradient(
            input,
            &[x],
            1,
            step,
            |x, y| y[0] = formula(x[0]),
            |x, grad_y, grad_x| grad_x[0] += backward(x[0], grad_y[0]),
        );
    }
}

/// Logarithms of the reference are f32: an ulp of 80 dB is 7.6e-6, relative 1e-7, and there are
/// four roundings.
fn log() -> Tolerance {
    Tolerance::relative_above(4e-7, 1.0)
}

/// The relative error of a power is the absolute error of its exponent, up to 8 ln 10 in f32.
fn power() -> Tolerance {
    Tolerance::relative(4e-6)
}

fn level_agreement(report: &mut Report) {
    let scale = DbScale::default();
    let other = DbScale { ref_db: 20.7, range_db: 120.0 };
    let operation = report.operation("power_to_db");
    golden(operation, "power_to_db", log(), power_to_db);
    golden(operation, "power_to_db_ref", log(), |p| other.power_to_db(p));
    let db = |p: f64| 10.0 * p.log10();
    gradient(operation, "power", &[1e-7, 1e-3, 0.5, 40.0, 1e9], db, |p, g| {
        scale.power_to_db_backward(p, g)
    });
    gradient(operation, "power", &[1e-9, -1.0], |_| -80.0, |p, g| scale.power_to_db_backward(p, g));

    let operation = report.operation("amplitude_to_db");
    golden(operation, "amplitude_to_db", log(), amplitude_to_db);
    let db = |a: f64| 20.0 * a.abs().log10();
    gradient(operation, "amplitude", &[1e-3, -0.5, 40.0, 1e9], db, |a, g| {
        scale.amplitude_to_db_backward(a, g)
    });
    gradient(
        operation,
        "amplitude",
        &[1e-9, 1e-40],
        |_| -80.0,
        |a, g| scale.amplitude_to_db_backward(a, g),
    );

    let operation = report.operation("db_to_amplitude");
    golden(operation, "db_to_amplitude", power(), db_to_amplitude);
    gradient(
        operation,
        "db",
        &[-80.0, -6.0, 0.5, 20.0],
        |x| 10.0_f64.powf(x / 20.0),
        db_to_amplitude_backward,
    );
    let operation = report.operation("db_to_power");
    golden(operation, "db_to_power", power(), db_to_power);
    gradient(
        operation,
        "db",
        &[-80.0, -6.0, 0.5, 20.0],
        |x| 10.0_f64.powf(x / 10.0),
        db_to_power_backward,
    );
}

fn log_agreement(report: &mut Report) {
    let points = [1e-38, 1e-6, 0.3, 7.0, 1e30];
    let operation = report.operation("safe_log");
    golden(operation, "safe_log", log(), safe_log);
    gradient(operation, "x", &points, f64::ln, safe_log_backward);
    gradient(operation, "x", &[-1.0], |_| 1e-5_f64.ln(), safe_log_backward);
    let operation = report.operation("safe_logb");
    golden(operation, "logb2", log(), |x| safe_logb(x, 2.0));
    golden(operation, "log10", log(), |x| safe_logb(x, 10.0));
    gradient(operation, "x", &points, f64::log2, |x, g| safe_logb_backward(x, 2.0, g));
    let operation = report.operation("safe_divide");
    golden(operation, "safe_divide", Tolerance::relative(1.2e-7), |x| safe_divide(1.0, x));
    for denominator in [1e-9, -0.3, 1e9] {
        gradient(
            operation,
            "numerator",
            &[0.7, -1e9],
            |x| x / f64::from(denominator),
            |x, g| safe_divide_backward(x, denominator, g).0,
        );
        gradient(
            operation,
            "denominator",
            &[denominator],
            |x| 0.7_f32 as f64 / x,
            |x, g| safe_divide_backward(0.7, x, g).1,
        );
    }
}

fn pitch_agreement(report: &mut Report) {
    let points = [0.01, 8.0, 440.0, 12_345.0];
    let operation = report.operation("hz_to_midi");
    // The reference rounds near 69 and 12 log2(440), where an ulp is 7.6e-6.
    golden(operation, "hz_to_midi", Tolerance::absolute(1.6e-5), hz_to_midi);
    gradient(operation, "hz", &points, |x| 69.0 + 12.0 * (x / 440.0).log2(), hz_to_midi_backward);
    gradient(operation, "hz", &[-3.0], |_| 0.0, hz_to_midi_backward);
    let operation = report.operation("midi_to_hz");
    golden(operation, "midi_to_hz", Tolerance::relative(2e-6), midi_to_hz);
    golden(operation, "midi_to_hz_sil", Tolerance::relative(2e-6), midi_to_hz_or_silence);
    let hz = |x: f64| 440.0 * ((x - 69.0) / 12.0).exp2();
    gradient(operation, "midi", &[-12.0, 20.5, 69.0, 127.0], hz, midi_to_hz_backward);

    // Differences of MIDI numbers near 100 in f32, over a span of 70 and more.
    let unit = Tolerance::absolute(6e-7);
    let midi = PitchRange::default();
    let hz_range = PitchRange::hz(20.0, 8000.0);
    let hz_from_0 = PitchRange::hz(0.0, 8000.0);
    let operation = report.operation("unit <-> MIDI");
    golden(operation, "unit_to_midi", Tolerance::relative(4e-7), |x| midi.unit_to_midi(x));
    golden(operation, "unit_to_midi_clip", Tolerance::relative(4e-7), |x| {
        midi.clipped().unit_to_midi(x)
    });
    // A share of up to 2 of a span of 70 is a difference that rounds at 2^-24 of 100.
    golden(operation, "midi_to_unit", Tolerance::relative_above(4e-7, 1.0), |x| {
        midi.midi_to_unit(x)
    });
    golden(operation, "midi_to_unit_clip", unit, |x| midi.clipped().midi_to_unit(x));
    gradient(
        operation,
        "unit",
        &[-0.2, 0.3, 1.4],
        |x| 20.0 + 70.0 * x,
        |x, g| midi.unit_to_midi_backward(x, g),
    );
    gradient(
        operation,
        "unit",
        &[-0.2, 1.4],
        |x| 20.0 + 70.0 * x.clamp(0.0, 1.0),
        |x, g| midi.clipped().unit_to_midi_backward(x, g),
    );
    let to_unit = |x: f64| (x - 20.0) / 70.0;
    gradient(operation, "MIDI", &[10.0, 60.0, 100.0], to_unit, |x, g| {
        midi.midi_to_unit_backward(x, g)
    });
    gradient(
        operation,
        "MIDI",
        &[10.0, 60.0, 100.0],
        |x| to_unit(x).clamp(0.0, 1.0),
        |x, g| midi.clipped().midi_to_unit_backward(x, g),
    );

    let operation = report.operation("unit <-> Hz");
    // The reference's MIDI number of up to 130 rounds at 2^-24 several times: 1e-6 of a semitone's
    // ln(2) / 12 each.
    let hz = Tolerance::relative(4e-6);
    golden(operation, "unit_to_hz", hz, |x| hz_range.unit_to_hz(x));
    golden(operation, "unit_to_hz_clip", hz, |x| hz_range.clipped().unit_to_hz(x));
    golden(operation, "unit_to_hz_0", hz, |x| hz_from_0.unit_to_hz(x));
    golden(operation, "unit_to_hz_0_clip", hz, |x| hz_from_0.clipped().unit_to_hz(x));
    golden(operation, "hz_to_unit", unit, |x| hz_range.hz_to_unit(x));
    golden(operation, "hz_to_unit_clip", unit, |x| hz_range.clipped().hz_to_unit(x));
    let ratio = 400.0_f64.ln();
    gradient(
        operation,
        "unit",
        &[-0.2, 0.3, 1.4],
        |x| 20.0 * (ratio * x).exp(),
        |x, g| hz_range.unit_to_hz_backward(x, g),
    );
    gradient(
        operation,
        "Hz",
        &[5.0, 300.0, 9000.0],
        |x| (x / 20.0).ln() / ratio,
        |x, g| hz_range.hz_to_unit_backward(x, g),
    );
    gradient(
        operation,
        "Hz",
        &[5.0, 9000.0],
        |x| ((x / 20.0).ln() / ratio).clamp(0.0, 1.0),
        |x, g| hz_range.clipped().hz_to_unit_backward(x, g),
    );
}

fn band_agreement(report: &mut Report) {
    // The reference's f32 has a handful of roundings, some of differences near 1.
    let tolerance = Tolerance::relative(4e-6);
    let points = [1.0, 50.0, 1000.0, 9000.0];
    let operation = report.operation("Hz <-> Bark");
    golden(operation, "hz_to_bark", tolerance, hz_to_bark);
    golden(operation, "bark_to_hz", tolerance, bark_to_hz);
    gradient(operation, "Hz", &points, bands::bark_of, hz_to_bark_backward);
    gradient(operation, "Bark", &[0.5, 3.0, 20.0], bands::hz_of_bark, bark_to_hz_backward);
    let operation = report.operation("Hz <-> mel");
    // The reference rounds 1 + hz / 700 and 10^(mel / 2595) - 1 at 2^-24 of 1 where they are small.
    golden(operation, "hz_to_mel", Tolerance::relative_above(4e-6, 25.0), hz_to_mel);
    golden(operation, "mel_to_hz", Tolerance::relative_above(4e-6, 25.0), mel_to_hz);
    gradient(operation, "Hz", &points, bands::mel_of, hz_to_mel_backward);
    gradient(operation, "mel", &[1.0, 500.0, 2800.0], bands::hz_of_mel, mel_to_hz_backward);
    let operation = report.operation("Hz -> ERB");
    golden(operation, "hz_to_erb", Tolerance::relative(2.4e-7), hz_to_erb);
    gradient(operation, "Hz", &points, bands::erb_of, hz_to_erb_backward);
}

pub(crate) fn agreement(report: &mut Report) {
    level_agreement(report);
    log_agreement(report);
    pitch_agreement(report);
    band_agreement(report);
}

#[test]
fn they_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}

#[test]
fn silence_is_the_floor() {
    for silent in [0.0, 1e-30] {
        assert_eq!(amplitude_to_db(silent), -DB_RANGE);
        assert_eq!(power_to_db(silent), -DB_RANGE);
    }
    assert_eq!(power_to_db(-1.0), -DB_RANGE);
    assert_eq!((hz_to_midi(0.0), hz_to_midi(-3.0)), (0.0, 0.0));
}

#[test]
fn round_trips_return() {
    for midi in [0.0, 21.0, 60.25, 69.0, 127.0] {
        assert!((hz_to_midi(midi_to_hz(midi)) - midi).abs() < 2e-5, "{midi}");
    }
    assert_eq!(midi_to_hz(69.0), 440.0);
    for hz in [30.0, 440.0, 7000.0] {
        for back in [bark_to_hz(hz_to_bark(hz)), mel_to_hz(hz_to_mel(hz))] {
            // A Bark is up to 1000 Hz wide at the top.
            assert!((back - hz).abs() <= 1e-5 * hz, "{back} != {hz}");
        }
    }
}

#[test]
fn nan_stays() {
    let nan = f32::NAN;
    let range = PitchRange::default().clipped();
    for (i, y) in [
        amplitude_to_db(nan),
        power_to_db(nan),
        db_to_amplitude(nan),
        db_to_power(nan),
        safe_log(nan),
        safe_divide(1.0, nan),
        hz_to_midi(nan),
        midi_to_hz(nan),
        midi_to_hz_or_silence(nan),
        range.unit_to_midi(nan),
        range.midi_to_unit(nan),
        range.unit_to_hz(nan),
        range.hz_to_unit(nan),
        hz_to_bark(nan),
        bark_to_hz(nan),
        hz_to_mel(nan),
        mel_to_hz(nan),
        hz_to_erb(nan),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(y.is_nan(), "function {i}: {y}");
    }
}

#[test]
fn levels_and_their_slopes_are_the_definition_on_any_scale() {
    let default = DbScale::default();
    let old = DbScale { ref_db: 20.7, range_db: 120.0 };
    let negative = DbScale { ref_db: -10.0, range_db: 40.0 };
    for (scale, power, db, slope) in [
        (default, 1.0, 0.0, 4.342_945),
        (default, 1e4, 40.0, 4.342_945e-4),
        (default, 1e-9, -80.0, 0.0),
        (default, 0.0, -80.0, 0.0),
        (old, 1.0, -20.7, 4.342_945),
        (old, 1e-11, -120.0, 0.0),
        (negative, 1e-5, -30.0, 0.0),
        (negative, 1e-3, -20.0, 4342.945),
    ] {
        let got = scale.power_to_db(power);
        assert!((got - db).abs() <= 1e-5, "{scale:?} at {power}: {got} dB, not {db}");
        let got = scale.power_to_db_backward(power, 2.0);
        assert!((got - 2.0 * slope).abs() <= 1e-6 * slope, "{scale:?} at {power}: slope {got}");
    }
    assert!(default.power_to_db_backward(f32::NAN, 1.0).is_nan(), "NaN in, NaN back");
    assert_eq!(default.power_to_db(f32::INFINITY), f32::INFINITY);
}

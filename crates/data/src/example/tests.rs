use proptest::prelude::*;

use super::*;
use crate::mutation::mutants;

/// `features { feature { key: "a" value { int64_list { value: [8] } } } }`, by hand.
const INT_8: [u8; 14] = [0x0a, 12, 0x0a, 10, 0x0a, 1, b'a', 0x12, 5, 0x1a, 3, 0x0a, 1, 8];

fn sample() -> Vec<u8> {
    let mut builder = ExampleBuilder::default();
    builder.floats("audio", &[0.5, -1.0, f32::MIN_POSITIVE]);
    builder.int64s("instrument/family", &[8]);
    builder.int64s("many", &[-1, i64::MAX, 0, 300]);
    builder.bytes("id", b"string_acoustic_000");
    builder.floats("none", &[]);
    builder.finish()
}

#[test]
fn bytes_are_those_of_the_wire_format() {
    let mut builder = ExampleBuilder::default();
    builder.int64s("a", &[8]);
    assert_eq!(builder.finish(), INT_8);
    let example = Example::parse(&INT_8).expect("an Example");
    assert_eq!(example.get("a").and_then(|f| f.int64()), Some(8));
    assert_eq!(example.get("b"), None);
}

#[test]
fn every_kind_of_list_comes_back() {
    let data = sample();
    let example = Example::parse(&data).expect("an Example");
    let get = |name| example.get(name).expect("written");
    assert_eq!(get("audio").floats(), Some(vec![0.5, -1.0, f32::MIN_POSITIVE]));
    assert_eq!(get("many").int64s(), Some(vec![-1, i64::MAX, 0, 300]));
    assert_eq!(get("id").bytes(), Some(vec![&b"string_acoustic_000"[..]]));
    assert_eq!((get("none").floats(), get("none").len()), (Some(vec![]), 0));
    assert_eq!((get("audio").len(), get("audio").kind(), get("id").kind()), (3, "float", "bytes"));
    assert_eq!((get("audio").int64s(), get("many").int64()), (None, None));
    let names: Vec<_> = example.features().iter().map(|f| f.0).collect();
    assert_eq!(names, ["audio", "id", "instrument/family", "many", "none"]);
}

#[test]
fn one_feature_is_found_without_the_others() {
    let mut data = sample();
    let family = find_feature(&data, "instrument/family").expect("an Example");
    assert_eq!(family.and_then(|f| f.int64()), Some(8));
    assert_eq!(find_feature(&data, "pitch"), Ok(None));
    // The lists of other features are not looked into: here, audio whose list is nonsense.
    let at = data.windows(5).position(|w| w == b"audio").expect("there") + 5 + 4;
    data[at] = 0xff;
    assert!(Example::parse(&data).is_err(), "the whole parse sees the damage");
    let family = find_feature(&data, "instrument/family").expect("label still readable");
    assert_eq!(family.and_then(|f| f.int64()), Some(8));
}

/// An Example with one feature `a` whose list message is given.
fn with_list(kind: u32, list: &[u8]) -> Vec<u8> {
    let mut builder = ExampleBuilder::default();
    builder.add("a", kind, list);
    builder.finish()
}

#[test]
fn unpacked_lists_are_read_too() {
    let data = with_list(2, &[0x0d, 0, 0, 0x80, 0x3f, 0x0d, 0, 0, 0, 0x40]);
    let floats = Example::parse(&data).expect("an Example").get("a").and_then(|f| f.floats());
    assert_eq!(floats, Some(vec![1.0, 2.0]));
    let data = with_list(3, &[0x08, 5, 0x08, 0x96, 0x01, 0x0a, 2, 7, 9]);
    let ints = Example::parse(&data).expect("an Example").get("a").and_then(|f| f.int64s());
    assert_eq!(ints, Some(vec![5, 150, 7, 9]), "unpacked, then packed");
}

#[test]
fn a_sequence_example_reads_as_its_context() {
    let mut data = sample();
    // feature_lists = 2, which an Example lacks.
    wire::push_bytes(&mut data, 2, &[1, 2, 3]);
    assert_eq!(Example::parse(&data), Example::parse(&sample()));
}

#[test]
fn the_last_of_a_repeated_name_counts() {
    let mut builder = ExampleBuilder::default();
    builder.int64s("a", &[1]);
    builder.int64s("a", &[2]);
    let data = builder.finish();
    let example = Example::parse(&data).expect("an Example");
    assert_eq!(example.get("a").and_then(|f| f.int64()), Some(2));
    assert_eq!(example.features().len(), 1);
    assert_eq!(find_feature(&data, "a").expect("an Example").and_then(|f| f.int64()), Some(2));
}

#[test]
fn faults_are_named_with_their_place() {
    let error = |data: &[u8]| Example::parse(data).expect_err("broken").to_string();
    let cut = error(&INT_8[..9]);
    assert_eq!(cut, "not an Example: byte 2 of the record: a field reaches past its message");
    assert!(error(&with_list(2, &[0x0a, 3, 0, 0, 0])).contains("packed floats are cut off"));
    assert!(error(&with_list(3, &[0x0a, 1, 0x80])).contains("packed number is cut off"));
    assert!(error(&with_list(1, &[0x08, 1])).contains("another type"));
    // -1 is nine bytes of seven bits and a tenth of one; a tenth with more would not fit.
    let tenth = |byte| with_list(3, &[&[0x0a, 10][..], &[0xff; 9], &[byte]].concat());
    let minus_one = tenth(0x01);
    let parsed = Example::parse(&minus_one).expect("an Example");
    assert_eq!(parsed.get("a").and_then(|f| f.int64()), Some(-1));
    assert!(error(&tenth(0x02)).contains("packed number is cut off or too long"));
    assert!(error(b"RIFF").contains("byte "), "text is no Example");
    let mut many = ExampleBuilder::default();
    for i in 0..=MAX_FEATURES {
        many.int64s(&i.to_string(), &[]);
    }
    assert!(error(&many.finish()).contains("more than 4096 features"));
}

#[test]
fn any_bytes_give_an_example_or_an_error() {
    let data = sample();
    for mutant in mutants(&data, 5000) {
        let Ok(example) = Example::parse(&mutant) else { continue };
        for (name, feature) in example.features() {
            let n_values = match feature {
                Feature::Bytes(_) => feature.bytes().map_or(0, |v| v.len()),
                Feature::Floats(_) => feature.floats().map_or(0, |v| v.len()),
                Feature::Int64s(_) => feature.int64s().map_or(0, |v| v.len()),
                Feature::Empty => 0,
            };
            assert_eq!(n_values, feature.len(), "the count told on parsing");
            let found = find_feature(&mutant, name).expect("parsed as a whole");
            assert_eq!(found, Some(*feature), "both ways agree");
        }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_parsed(
        floats in prop::collection::vec(-1e6_f32..1e6, 0..200),
        ints in prop::collection::vec(any::<i64>(), 0..50),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        name in "[a-z/_]{1,12}",
    ) {
        let mut builder = ExampleBuilder::default();
        builder.floats(&format!("{name}1"), &floats);
        builder.int64s(&format!("{name}2"), &ints);
        builder.bytes(&format!("{name}3"), &bytes);
        let data = builder.finish();
        let example = Example::parse(&data).expect("an Example");
        let get = |kind: u32| example.get(&format!("{name}{kind}")).expect("written");
        prop_assert_eq!(get(1).floats(), Some(floats));
        prop_assert_eq!(get(2).int64s(), Some(ints));
        prop_assert_eq!(get(3).bytes(), Some(vec![&bytes[..]]));
    }

    #[test]
    fn random_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Example::parse(&data);
        let _ = find_feature(&data, "audio");
    }
}

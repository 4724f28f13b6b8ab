//! The import rule of ARCHITECTURE.md: which of our crates may use which.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each crate with those of ours that it may import; a crate that is not listed may not exist.
const MAY_IMPORT: [(&str, &[&str]); 8] = [
    ("ddsp-kernels", &[]),
    ("ddsp-model", &["ddsp-kernels"]),
    ("ddsp-data", &["ddsp-kernels"]),
    ("ddsp-train", &["ddsp-kernels", "ddsp-model", "ddsp-data"]),
    ("ddsp-engine", &["ddsp-kernels", "ddsp-model"]),
    ("ddsp-plugin", &["ddsp-engine", "ddsp-model"]),
    ("ddsp-studio", &["ddsp-kernels", "ddsp-model", "ddsp-data", "ddsp-train", "ddsp-engine"]),
    (
        "ddsp",
        &["ddsp-kernels", "ddsp-model", "ddsp-data", "ddsp-train", "ddsp-engine", "ddsp-studio"],
    ),
];

/// What only one crate may import, because it stands for what the others must not do: parse
/// arguments, draw on terminals, decode files, multiply matrices.
const FENCED: [(&str, &str); 5] = [
    ("clap", "ddsp"),
    ("ratatui", "ddsp"),
    ("symphonia", "ddsp-data"),
    ("gemm-f32", "ddsp-kernels"),
    ("maud", "ddsp-studio"),
];

#[test]
fn crates_import_what_the_architecture_allows() {
    let metadata =
        MetadataCommand::new().no_deps().exec().expect("cargo metadata of this workspace");
    assert!(metadata.packages.len() >= 6, "only {} crates were looked at", metadata.packages.len());
    for package in &metadata.packages {
        let name = package.name.as_str();
        let rule = MAY_IMPORT.iter().find(|(known, _)| *known == name);
        let (_, allowed) =
            rule.unwrap_or_else(|| panic!("{name} has no rule: add it to this test"));
        let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
        let imports: BTreeSet<&str> = normal.map(|d| d.name.as_str()).collect();
        for import in &imports {
            let ours = MAY_IMPORT.iter().any(|(known, _)| known == import);
            assert!(!ours || allowed.contains(import), "{name} must not import {import}");
            let fence = FENCED.iter().find(|(fenced, _)| fenced == import);
            let is_inside = fence.is_none_or(|(_, owner)| *owner == name);
            assert!(is_inside, "{name} must not import {import}");
        }
    }
}

#[test]
fn the_kernels_stay_free_of_io_threads_and_chance() {
    let metadata =
        MetadataCommand::new().no_deps().exec().expect("cargo metadata of this workspace");
    let kernels = metadata.packages.iter().find(|p| p.name.as_str() == "ddsp-kernels");
    let dependencies = &kernels.expect("the kernels").dependencies;
    let normal = dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
    let imports: BTreeSet<&str> = normal.map(|d| d.name.as_str()).collect();
    let mathematics = BTreeSet::from(["gemm-common", "gemm-f32", "realfft", "rustfft"]);
    assert!(imports.is_subset(&mathematics), "the kernels import {imports:?}");
}

//! The CSV files of a folder, as they are.

use dynhost_sdk::prelude::*;
use std::fs;
use std::path::Path;
use walk::{Found, GRANTED, has_extension, walk};

/// Reads the CSV files of the granted folder, told by their extension.
#[op(output(name = "export", dynamic))]
pub fn exports(
    /// The bytes of the files, in the order of their names. The mapping key is the name.
    export: &mut Emitter<Blob>,
) -> Result<()> {
    read_all(Path::new(GRANTED), export)
}

fn read_all(root: &Path, export: &mut Emitter<Blob>) -> Result<()> {
    for found in walk(root, false) {
        match found {
            Found::File(name) if has_extension(&name, &["csv"]) => {
                let data = fs::read(root.join(&name)).or_permanent(format_args!("`{name}`"))?;
                export.emit(mapping_key(&name), Blob::new("text/csv", data))?;
            }
            Found::Unreadable(path, problem) => {
                return Err(Failure::permanent(format!("`{path}` cannot be read: {problem}")));
            }
            Found::File(_) | Found::Unnameable(_) => {}
        }
    }
    Ok(())
}

export_ops!(exports);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_csv_is_read() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.CSV", "c.txt"] {
            fs::write(root.path().join(name), name).unwrap();
        }
        let mut recorded = Emitter::recording();
        read_all(root.path(), &mut recorded).unwrap();
        let csv = |name: &str| DynamicOutput::new(name, Blob::new("text/csv", name));
        assert_eq!(recorded.into_recorded(), [csv("a.CSV"), csv("b.csv")]);
    }

    #[test]
    fn a_missing_folder_is_a_failure() {
        let failure = read_all(Path::new("/no/such"), &mut Emitter::recording()).unwrap_err();
        assert!(failure.message().starts_with("`.` cannot be read: "), "{failure}");
    }
}

//! The pictures of a folder, for `thumbnails` to make small.

use dynhost_sdk::prelude::*;
use std::fs;
use std::path::Path;
use walk::{Found, GRANTED, has_extension, walk};

/// The kinds of picture by the extension of their file.
const KINDS: [(&str, &str); 3] =
    [("png", "image/png"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg")];

/// Reads the PNG and JPEG pictures of the granted folder, told by the extension of the file.
#[op(output(dynamic))]
pub fn pictures(
    /// The pictures as they are in their files, in the order of their names. The mapping key is the path, or made from
    /// it where it cannot be a key.
    pictures: &mut Emitter<Blob>,
) -> Result<()> {
    read_all(Path::new(GRANTED), pictures)
}

fn read_all(root: &Path, pictures: &mut Emitter<Blob>) -> Result<()> {
    for found in walk(root, true) {
        match found {
            Found::File(path) => {
                let Some((_, kind)) =
                    KINDS.iter().find(|(extension, _)| has_extension(&path, &[extension]))
                else {
                    continue;
                };
                match fs::read(root.join(&path)) {
                    Ok(data) => pictures.emit(mapping_key(&path), Blob::new(*kind, data))?,
                    Err(error) => {
                        step::warn(format!("`{path}` cannot be read and is left out: {error}"));
                    }
                }
            }
            Found::Unreadable(path, problem) if path == "." => {
                return Err(Failure::permanent(format!(
                    "`{}` cannot be read: {problem}",
                    root.display()
                )));
            }
            Found::Unreadable(path, problem) => {
                step::warn(format!("`{path}` cannot be read and is left out: {problem}"));
            }
            Found::Unnameable(path) => {
                step::warn(format!("a name in `{path}` is not UTF-8 and is left out"));
            }
        }
    }
    Ok(())
}

export_ops!(pictures);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, write};

    #[test]
    fn pictures_are_told_by_their_extension() {
        let root = tempfile::tempdir().unwrap();
        create_dir(root.path().join("more")).unwrap();
        for (path, data) in [("a.PNG", "1"), ("more/b.jpeg", "2"), ("c.txt", "3"), ("png", "4")] {
            write(root.path().join(path), data).unwrap();
        }
        let mut pictures = Emitter::recording();
        read_all(root.path(), &mut pictures).unwrap();
        assert_eq!(
            pictures.into_recorded(),
            [
                DynamicOutput::new("a.PNG", Blob::new("image/png", "1")),
                DynamicOutput::new("more/b.jpeg", Blob::new("image/jpeg", "2"))
            ]
        );
    }

    #[test]
    fn a_missing_folder_is_a_failure() {
        let failure =
            read_all(Path::new("/no/such/folder"), &mut Emitter::recording()).unwrap_err();
        assert!(failure.message().starts_with("`/no/such/folder` cannot be read: "), "{failure}");
    }
}

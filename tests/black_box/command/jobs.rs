//! The example jobs over real data, beside what coreutils say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value as Json, json};

use super::{Workshop, root};
use crate::languages::weather;

fn job(name: &str) -> String {
    let path = root().join(format!("example-ops/jobs/{name}.toml"));
    path.to_str().expect("the path is UTF-8").to_owned()
}

/// The outputs of a job over a folder, which must succeed.
fn outputs(job: &str, folder: &Path) -> Json {
    let dir = format!("dir={}", folder.to_str().expect("the path is UTF-8"));
    let output = Workshop::new().run(&["run", "-o", "json", job, "--param", &dir]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let result: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(result["status"], "succeeded");
    result["outputs"].clone()
}

/// What a shell prints.
fn shell(script: &str, folder: &Path) -> String {
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("DIR", folder)
        .env("LC_ALL", "C")
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

fn find(folder: &Path) -> Json {
    let sizes = shell("find \"$DIR\" -type f -printf '%s\\n'", folder);
    let sizes: Vec<u64> = sizes.lines().map(|line| line.parse().expect("a number")).collect();
    json!({ "total": sizes.iter().sum::<u64>(), "files": sizes.len() })
}

/// The seed's first example.
#[test]
fn pieces() {
    for (pieces, count) in [("0", 0), ("1", 100), ("10", 1000), ("250", 25_000)] {
        let pieces = format!("pieces={pieces}");
        let output = Workshop::new().run(&["run", "-o", "json", &job("pieces"), "-p", &pieces]);
        let result: Json = serde_json::from_slice(&output.stdout).expect("it is JSON");
        let analysis = &result["outputs"]["analysis"];
        assert_eq!(analysis["count"], count, "{result}");
        assert_eq!(analysis["sum"], u64::midpoint(count * count, count), "{result}");
    }
}

/// The seed's second example, over more than two thousand files in folders of odd names.
#[test]
fn directory_size_agrees_with_find() {
    let data = tempfile::tempdir().expect("a folder");
    for n in 0..2100_usize {
        let folder = data.path().join(format!("{}/{}", n % 7, ["a b", "ü", "[x]", "-"][n % 4]));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(
            folder.join(format!("{n}.{}", ["txt", "PNG", "tar.gz", ""][n % 4])),
            vec![b'x'; n * 13 % 5000],
        )
        .expect("a file");
    }
    fs::create_dir(data.path().join("empty")).expect("a folder");
    fs::write(data.path().join("no extension"), "").expect("a file");
    std::os::unix::fs::symlink("/etc/passwd", data.path().join("link")).expect("a link");
    std::os::unix::fs::symlink(data.path(), data.path().join("round")).expect("a link");
    let found = outputs(&job("directory-size"), data.path());
    let expected = find(data.path());
    assert_eq!(json!({ "total": found["total"], "files": found["files"] }), expected);
    assert_eq!(expected["files"], 2101);
    assert_eq!((&found["unreadable"], &found["unnameable"]), (&json!([]), &json!(0)));
}

/// A folder that nobody made for this.
#[test]
fn directory_size_of_this_repository() {
    for folder in ["docs", "graph/src", "example-ops/jobs"] {
        let found = outputs(&job("directory-size"), &root().join(folder));
        let found = json!({ "total": found["total"], "files": found["files"] });
        assert_eq!(found, find(&root().join(folder)), "{folder}");
    }
}

/// The texts of this repository, counted by ops and by coreutils.
#[test]
fn word_count_agrees_with_coreutils() {
    let text = fs::read_to_string(job("word-count")).expect("the job is there");
    let text = text.replace(
        r#"extensions = ["txt", "md"], chunk_bytes = 65536"#,
        r#"extensions = ["md"], chunk_bytes = 1000"#,
    );
    assert!(text.contains("chunk_bytes = 1000"));
    let text = text.replace("\"../target/", &format!("\"{}/", env!("EXAMPLE_OPS")));
    let workshop = Workshop::new();
    workshop.write("words.toml", text);
    let manifest = workshop.path().join("words.toml");
    for folder in ["docs", "sdk/rust/src", "sdk/rust", "."] {
        let data = tempfile::tempdir().expect("a folder");
        for file in fs::read_dir(root().join(folder)).expect("the folder is there").flatten() {
            if file.path().extension().is_some_and(|extension| extension == "md") {
                fs::copy(file.path(), data.path().join(file.file_name())).expect("a copy");
            }
        }
        let counted = outputs(manifest.to_str().expect("the path is UTF-8"), data.path());
        let expected = shell(
            "find \"$DIR\" -type f -iname '*.md' -exec sed '' {} + | tr -cs A-Za-z '\\n' | tr A-Z a-z \
             | { grep . || true; } | sort | uniq -c | sort -k1,1nr -k2",
            data.path(),
        );
        let expected: Vec<Json> = expected
            .lines()
            .map(|line| {
                let (count, word) = line.trim().split_once(' ').expect("count and word");
                json!({ "word": word, "count": count.parse::<u64>().expect("a number") })
            })
            .collect();
        assert_eq!(counted["words"], json!(expected), "{folder}");
        assert_eq!(counted["distinct"], expected.len(), "{folder}");
    }
}

/// A sheet of pictures that are drawn here, one of which is none.
#[test]
fn the_contact_sheet_shows_the_pictures() {
    let colors = [[200, 30, 30], [30, 200, 30], [30, 30, 200], [200, 200, 30], [30, 200, 200]];
    let sizes = [(400, 200), (200, 400), (160, 160), (20, 10), (1000, 1000)];
    let workshop = Workshop::new();
    let pictures = workshop.path().join("pictures");
    fs::create_dir(&pictures).expect("a folder");
    for (n, ((width, height), color)) in sizes.into_iter().zip(colors).enumerate() {
        let (extension, format) =
            if n % 2 == 0 { ("png", ImageFormat::Png) } else { ("JPG", ImageFormat::Jpeg) };
        let picture = RgbImage::from_pixel(width, height, Rgb(color));
        picture
            .save_with_format(pictures.join(format!("{n}.{extension}")), format)
            .expect("it can be written");
    }
    fs::write(pictures.join("2 broken.png"), "no picture").expect("a file");
    fs::write(pictures.join("readme.txt"), "no picture").expect("a file");

    let output = workshop.run(&[
        "run",
        &job("thumbnails"),
        "--param",
        "dir=pictures",
        "--save",
        "sheet=sheet.png",
    ]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    assert!(words.contains("resize[2 broken.png]"), "the broken one is named: {words}");

    let bytes = fs::read(workshop.path().join("sheet.png")).expect("it was written");
    assert_eq!(image::guess_format(&bytes).ok(), Some(ImageFormat::Png));
    let sheet = image::load_from_memory(&bytes).expect("it can be read").to_rgb8();
    // Three columns and two rows of 160 pixels, with 8 between and around them.
    assert_eq!(sheet.dimensions(), (3 * 168 + 8, 2 * 168 + 8));
    for (n, color) in (0_u32..).zip(colors) {
        let (x, y) = (8 + 80 + n % 3 * 168, 8 + 80 + n / 3 * 168);
        let near = sheet.get_pixel(x, y).0.iter().zip(color).all(|(a, b)| a.abs_diff(b) < 8);
        assert!(near, "picture {n}: {:?} is not {color:?}", sheet.get_pixel(x, y));
    }
    // The first is wide, so there is white above it; the last place is empty.
    assert_eq!(sheet.get_pixel(88, 20).0, [255; 3]);
    assert_eq!(sheet.get_pixel(8 + 80 + 2 * 168, 8 + 80 + 168).0, [255; 3]);
}

/// Files that cannot be read are said to be so, and the rest is added up.
#[test]
fn a_folder_that_cannot_be_read_is_named() {
    let data = tempfile::tempdir().expect("a folder");
    fs::write(data.path().join("a.txt"), "four").expect("a file");
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff.txt");
    if fs::write(data.path().join(name), "x").is_err() {
        return; // Some file systems take only UTF-8.
    }
    let found = outputs(&job("directory-size"), data.path());
    assert_eq!((&found["total"], &found["unnameable"]), (&json!(4), &json!(1)));
}

/// Every example job is sound, as it stands in the repository.
#[test]
fn every_example_job_is_valid() {
    let mut jobs = BTreeMap::new();
    for entry in fs::read_dir(root().join("example-ops/jobs")).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("weather") && weather::manifest(name).is_none() {
            continue;
        }
        let output = Workshop::new().run(&["validate", path.to_str().expect("the path is UTF-8")]);
        jobs.insert(path, output.status.code());
    }
    assert!(jobs.len() >= 4);
    assert!(jobs.values().all(|code| *code == Some(0)), "{jobs:?}");
}

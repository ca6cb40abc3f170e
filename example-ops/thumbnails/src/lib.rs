//! Make pictures small and put them on one sheet: `resize` for each, `contact_sheet` over all.

mod sheet;

pub use sheet::{Sheet, contact_sheet};

use dynhost_sdk::prelude::*;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use schemars::JsonSchema;
use serde::Deserialize;
use std::io::Cursor;

/// The media type of what these ops give.
const PNG: &str = "image/png";
/// The most memory that decoding a picture may take.
const MOST_MEMORY: u64 = 512 << 20;

/// How large a picture may be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Size {
    /// The most pixels from left to right; 160 where nothing is said.
    #[schemars(range(min = 1, max = 4096))]
    pub width: u32,
    /// The most pixels from top to bottom; 160 where nothing is said.
    #[schemars(range(min = 1, max = 4096))]
    pub height: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 160, height: 160 }
    }
}

/// Makes one picture small enough, as a PNG. Its proportions are kept, and a picture that is small already stays so.
#[op]
pub fn resize(
    /// A PNG or JPEG picture.
    picture: Blob,
    #[config] size: Size,
) -> Result<Blob> {
    check_pixels("width", size.width)?;
    check_pixels("height", size.height)?;
    let picture =
        decode(&picture).map_err(|failure| failure.context("the picture cannot be read"))?;
    encode(&shrink(picture, size))
}

fn check_pixels(field: &str, pixels: u32) -> Result<()> {
    if (1..=4096).contains(&pixels) {
        return Ok(());
    }
    Err(Failure::permanent(format!("config: {field}: {pixels} is not between 1 and 4096")))
}

fn shrink(picture: DynamicImage, size: Size) -> DynamicImage {
    if picture.width() <= size.width && picture.height() <= size.height {
        return picture;
    }
    picture.thumbnail(size.width, size.height)
}

/// Reads a picture, the right way up. The bytes say what it is, whatever the media type is.
fn decode(picture: &Blob) -> Result<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(&picture.data)).with_guessed_format()?;
    if reader.format().is_none() {
        let size = picture.data.len();
        return Err(Failure::permanent(format!(
            "{size} bytes of `{}` are neither PNG nor JPEG",
            picture.media_type
        )));
    }
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn encode(picture: &DynamicImage) -> Result<Blob> {
    let mut data = Cursor::new(Vec::new());
    picture.write_to(&mut data, ImageFormat::Png)?;
    Ok(Blob::new(PNG, data.into_inner()))
}

export_ops!(resize, contact_sheet);

#[cfg(test)]
mod tests {
    use super::*;
    use dynhost_sdk::Retry;
    use image::RgbImage;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Blob {
        let mut data = Cursor::new(Vec::new());
        DynamicImage::from(RgbImage::new(width, height)).write_to(&mut data, format).unwrap();
        Blob::new(format.to_mime_type(), data.into_inner())
    }

    fn resized(picture: Blob) -> (u32, u32) {
        let small = resize(picture, Size::default()).unwrap();
        assert_eq!(small.media_type, PNG);
        let small = decode(&small).unwrap();
        (small.width(), small.height())
    }

    #[test]
    fn proportions_are_kept() {
        assert_eq!(resized(picture(640, 320, ImageFormat::Png)), (160, 80));
        assert_eq!(resized(picture(100, 400, ImageFormat::Jpeg)), (40, 160));
        assert_eq!(resized(picture(10, 20, ImageFormat::Png)), (10, 20));
    }

    #[test]
    fn a_broken_picture_fails_for_good_and_says_why() {
        let whole = picture(64, 64, ImageFormat::Png);
        let cut = Blob::new(PNG, &whole.data[..whole.data.len() / 2]);
        let other = Blob::new(PNG, "no picture");
        for (broken, words) in
            [(cut, "the picture cannot be read: "), (other, "are neither PNG nor JPEG")]
        {
            let failure = resize(broken, Size::default()).unwrap_err();
            assert_eq!(failure.retry(), Retry::Never);
            assert!(failure.message().contains(words), "{failure}");
        }
    }

    #[test]
    fn a_size_without_pixels_is_refused() {
        let failure =
            resize(picture(1, 1, ImageFormat::Png), Size { width: 0, height: 9 }).unwrap_err();
        assert_eq!(failure.message(), "config: width: 0 is not between 1 and 4096");
    }
}

//! Many pictures on one.

use crate::{Size, check_pixels, decode, encode, shrink};
use dynhost_sdk::prelude::*;
use image::{DynamicImage, Rgba, RgbaImage, imageops};
use schemars::JsonSchema;
use serde::Deserialize;

const WHITE: Rgba<u8> = Rgba([255; 4]);
/// The most pixels of a sheet, so that it fits an op's memory.
const MOST_PIXELS: u64 = 64 << 20;

/// How a sheet is laid out.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sheet {
    /// How many pictures stand side by side; as many as there are rows where nothing is said.
    #[schemars(range(min = 1))]
    pub columns: Option<u32>,
    /// The pixels between pictures, and around them; 8 where nothing is said.
    #[schemars(range(max = 4096))]
    pub margin: u32,
    /// The most pixels of a picture from left to right; 160 where nothing is said.
    #[schemars(range(min = 1, max = 4096))]
    pub width: u32,
    /// The most pixels of a picture from top to bottom; 160 where nothing is said.
    #[schemars(range(min = 1, max = 4096))]
    pub height: u32,
}

impl Default for Sheet {
    fn default() -> Self {
        let Size { width, height } = Size::default();
        Self { columns: None, margin: 8, width, height }
    }
}

/// Puts all pictures on one sheet, a PNG: row by row, each in the middle of its place, white between them.
#[op]
pub fn contact_sheet(
    /// PNG or JPEG pictures. One that is too large for its place is made smaller.
    pictures: Collected<Blob>,
    #[config] sheet: Sheet,
) -> Result<Blob> {
    let grid = Grid::new(pictures.len(), sheet)?;
    let mut canvas = RgbaImage::from_pixel(grid.width, grid.height, WHITE);
    for (n, (key, picture)) in (0..).zip(pictures.with_keys()) {
        let picture = decode(&picture).map_err(|failure| {
            failure.context(format_args!("the picture `{key}` cannot be read"))
        })?;
        let picture = shrink(picture, Size { width: sheet.width, height: sheet.height });
        let (x, y) = grid.place(n, &picture);
        imageops::overlay(&mut canvas, &picture.to_rgba8(), x, y);
    }
    encode(&DynamicImage::from(canvas).to_rgb8().into())
}

/// Where the pictures are, in pixels.
struct Grid {
    sheet: Sheet,
    columns: u64,
    width: u32,
    height: u32,
}

impl Grid {
    fn new(pictures: u64, sheet: Sheet) -> Result<Self> {
        check_pixels("width", sheet.width)?;
        check_pixels("height", sheet.height)?;
        if sheet.columns == Some(0) {
            return Err(Failure::permanent(
                "config: columns: 0 is too few: a sheet has 1 at least",
            ));
        }
        if sheet.margin > 4096 {
            return Err(Failure::permanent(format!(
                "config: margin: {} is more than 4096",
                sheet.margin
            )));
        }
        let columns =
            sheet.columns.map_or_else(|| square(pictures), u64::from).clamp(1, pictures.max(1));
        let rows = pictures.div_ceil(columns);
        let side = |count: u64, pixels: u32| {
            count
                .saturating_mul(u64::from(pixels + sheet.margin))
                .saturating_add(u64::from(sheet.margin))
                .max(1)
        };
        let (width, height) = (side(columns, sheet.width), side(rows, sheet.height));
        match (u32::try_from(width), u32::try_from(height)) {
            (Ok(x), Ok(y)) if width * height <= MOST_PIXELS => {
                Ok(Self { sheet, columns, width: x, height: y })
            }
            _ => Err(Failure::permanent(format!(
                "{pictures} pictures need a sheet of {width} × {height} pixels, more than {MOST_PIXELS}: set a smaller width, height or margin"
            ))),
        }
    }

    /// The left upper corner of a picture.
    fn place(&self, n: u64, picture: &DynamicImage) -> (i64, i64) {
        let Sheet { margin, width, height, .. } = self.sheet;
        let corner = |position: u64, place: u32, pixels: u32| {
            let middle = u64::from(place.saturating_sub(pixels) / 2);
            position * u64::from(place + margin) + u64::from(margin) + middle
        };
        let x = corner(n % self.columns, width, picture.width());
        let y = corner(n / self.columns, height, picture.height());
        (x.cast_signed(), y.cast_signed())
    }
}

/// The columns of a sheet that has as many rows, or one less.
fn square(pictures: u64) -> u64 {
    let root = pictures.isqrt();
    root + u64::from(root * root < pictures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    fn red(width: u32, height: u32) -> Blob {
        encode(&RgbImage::from_pixel(width, height, image::Rgb([255, 0, 0])).into()).unwrap()
    }

    fn sheet(pictures: Vec<Blob>, sheet: Sheet) -> RgbImage {
        decode(&contact_sheet(pictures.into_iter().collect(), sheet).unwrap()).unwrap().to_rgb8()
    }

    #[test]
    fn pictures_stand_in_a_grid_with_margins() {
        let layout = Sheet { columns: Some(2), margin: 2, width: 4, height: 4 };
        let sheet = sheet(vec![red(4, 4), red(40, 40), red(2, 4)], layout);
        assert_eq!(sheet.dimensions(), (14, 14));
        let is_red = |x, y| sheet.get_pixel(x, y).0 == [255, 0, 0];
        assert!(is_red(2, 2) && is_red(5, 5) && is_red(8, 2) && is_red(11, 5));
        assert!(!is_red(0, 0) && !is_red(6, 2) && !is_red(8, 8));
        // The third is narrower than its place, and stands in the middle of it.
        assert!(!is_red(2, 8) && is_red(3, 8) && is_red(4, 11) && !is_red(5, 8));
    }

    #[test]
    fn a_sheet_is_about_square() {
        assert_eq!([0, 1, 2, 4, 5, 9, 10].map(square), [0, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn without_pictures_there_is_an_empty_sheet() {
        assert_eq!(sheet(vec![], Sheet::default()).dimensions(), (8 + 168, 8));
    }

    #[test]
    fn a_sheet_that_is_too_large_is_refused() {
        let failure = Grid::new(1_000_000, Sheet::default()).err().unwrap();
        assert!(
            failure
                .message()
                .starts_with("1000000 pictures need a sheet of 168008 × 168008 pixels"),
            "{failure}"
        );
    }
}

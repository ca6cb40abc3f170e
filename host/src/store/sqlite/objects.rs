//! Values that are too large to stand in an event, by the digest of their bytes.
//!
//! The table `objects` says which there are and where they lie, and two others who uses them. What one transaction
//! writes lies in a file of its own, a *pack*, so that there is one wait for the disk for all of it; the largest are
//! files by their digest. Both are written while the database is locked for writing, as it is when something is
//! removed: so nothing is removed as unused before the transaction says that it is used.

mod files;
mod packs;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rusqlite::{Connection, OptionalExtension as _, params};

use self::files::Files;
use self::packs::{Packs, Place};
use super::fail_point;
use super::fault::{Fault, Result};
use super::rows::whole;
use crate::cache::Digest;
use crate::store::LargeValues;

/// The greatest object that lies in a pack, in bytes. For one of this size the disk takes longer to write it than to answer.
pub(super) const PACKED_BYTES: usize = 1 << 20;

/// The objects of a state folder.
#[derive(Debug)]
pub(super) struct Objects {
    files: Files,
    packs: Packs,
    /// Where those are that have been read.
    large_values: Arc<LargeValues>,
}

/// An object that is to be kept.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
    pub(super) user: User,
}

/// Who refers to an object, by its number in the tables.
#[derive(Debug, Clone, Copy)]
pub(super) enum User {
    Run(i64),
    Entry(i64),
}

/// An object that is about to be read.
pub(super) struct Found<'a> {
    objects: &'a Objects,
    digest: Digest,
    place: Option<Place>,
}

/// Bytes that nothing refers to.
#[derive(Debug)]
pub(super) struct Unused {
    /// Its row, if it has one.
    object: Option<i64>,
    at: Location,
    pub(super) bytes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Location {
    File(Digest),
    InPack(Place),
    /// A pack that none of whose objects came to stand in the table.
    Pack(i64),
}

/// A row of the table.
struct Known {
    object: i64,
    place: Option<Place>,
    bytes: u64,
}

impl Objects {
    pub(super) fn new(folder: PathBuf, large_values: Arc<LargeValues>) -> Self {
        Self { files: Files::new(folder.clone()), packs: Packs::new(folder), large_values }
    }

    /// Keeps objects, and answers when they will outlast the machine. Those that are there already cost no
    /// more than a look. To be called once in a transaction, at its end.
    pub(super) fn put(&self, connection: &Connection, wanted: &[Wanted]) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let pack = self.new_pack(connection)?;
        let (mut in_files, mut in_pack, mut end) = (Vec::new(), Vec::new(), 0);
        let mut numbers = HashMap::new();
        for Wanted { digest, bytes, user } in wanted {
            let object = match numbers.entry(digest) {
                Entry::Occupied(put) => *put.get(),
                Entry::Vacant(new) => *new.insert(match self.whole(connection, digest, bytes)? {
                    Some(object) => object,
                    None if bytes.len() > PACKED_BYTES => {
                        in_files.push((digest, bytes));
                        put_row(connection, digest, bytes.len() as u64, None)?
                    }
                    None => {
                        let place = Place { pack, at: end, bytes: bytes.len() as u64 };
                        end = place.end();
                        in_pack.push(bytes);
                        put_row(connection, digest, place.bytes, Some(place))?
                    }
                }),
            };
            put_user(connection, object, *user)?;
        }
        self.packs.write(pack, &in_pack)?;
        self.files.put(&in_files)
    }

    /// The number of an object that is there, as far as a look tells.
    fn whole(
        &self,
        connection: &Connection,
        digest: &Digest,
        bytes: &Bytes,
    ) -> Result<Option<i64>> {
        let Some(known) = known(connection, digest)? else { return Ok(None) };
        let is_whole = match known.place {
            // The bytes of what nothing uses may be gone.
            Some(place) => {
                place.bytes == bytes.len() as u64
                    && self.packs.has(place)
                    && is_used(connection, known.object)?
            }
            None => self.files.has(digest, bytes.len()),
        };
        Ok(is_whole.then_some(known.object))
    }

    /// A number under which nothing lies. What a writer left that did not come to say so is not written over: its
    /// transaction may still be found to have been committed.
    fn new_pack(&self, connection: &Connection) -> Result<i64> {
        let select = "SELECT coalesce(max(pack), 0) FROM objects";
        let last: i64 = connection.prepare_cached(select)?.query_row([], |row| row.get(0))?;
        (last..i64::MAX).skip(1).find(|pack| !self.packs.path(*pack).exists()).ok_or_else(|| {
            let finding = "there is no number left for a pack of objects".to_owned();
            Fault::Damaged("keep events".to_owned(), finding)
        })
    }

    /// Where an object lies, to be read without the connection.
    pub(super) fn find(&self, connection: &Connection, digest: &Digest) -> Result<Found<'_>> {
        let place = known(connection, digest)?.and_then(|known| known.place);
        Ok(Found { objects: self, digest: *digest, place })
    }

    /// What neither a run nor an entry uses: rows of the table, and files that were written by who did not come to
    /// say so.
    pub(super) fn unused(&self, connection: &Connection) -> Result<Vec<Unused>> {
        let mut select = connection.prepare_cached(
            "SELECT digest, object, pack, at, bytes FROM objects AS o \
             WHERE NOT EXISTS (SELECT 1 FROM run_objects AS u WHERE u.object = o.object) \
             AND NOT EXISTS (SELECT 1 FROM cache_objects AS u WHERE u.object = o.object)",
        )?;
        let mut unused = Vec::new();
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (digest, known) = (row.get(0)?, Known::read(row, 1)?);
            let at = known.place.map_or(Location::File(digest), Location::InPack);
            unused.push(Unused { object: Some(known.object), at, bytes: known.bytes });
        }
        let mut has_row =
            connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM objects WHERE digest = ?1)")?;
        self.files.list(&mut |digest, bytes| {
            if !has_row.query_row([digest.as_slice()], |row| row.get(0))? {
                unused.push(Unused { object: None, at: Location::File(digest), bytes });
            }
            Ok(())
        })?;
        self.packs.list(&mut |pack, bytes| {
            if !has_objects(connection, pack)? {
                unused.push(Unused { object: None, at: Location::Pack(pack), bytes });
            }
            Ok(())
        })?;
        Ok(unused)
    }

    /// Removes what nothing uses.
    pub(super) fn remove(&self, connection: &Connection, unused: &[Unused]) -> Result<()> {
        let mut delete = connection.prepare_cached("DELETE FROM objects WHERE object = ?1")?;
        for object in unused.iter().filter_map(|unused| unused.object) {
            delete.execute([object])?;
        }
        let mut emptied = HashMap::new();
        for unused in unused {
            match unused.at {
                Location::File(digest) => self.files.delete(&digest)?,
                Location::Pack(pack) => self.packs.delete(pack)?,
                Location::InPack(place) => {
                    let is_empty = match emptied.entry(place.pack) {
                        Entry::Occupied(known) => *known.get(),
                        Entry::Vacant(new) => *new.insert(!has_objects(connection, place.pack)?),
                    };
                    if is_empty {
                        self.packs.delete(place.pack)?;
                    } else {
                        self.packs.free(place)?;
                    }
                }
            }
            fail_point::reached("prune.after_object");
        }
        Ok(())
    }

    /// Removes what writers left that ended before their time, longer ago than any may take.
    pub(super) fn tidy(&self) -> Result<()> {
        self.files.tidy()
    }
}

impl Found<'_> {
    /// The bytes, checked against the digest.
    pub(super) fn read(&self) -> Result<Bytes> {
        let Self { objects, digest, place } = self;
        let (path, read) = match place {
            Some(place) => (objects.packs.path(place.pack), objects.packs.read(*place)),
            None => (objects.files.path(digest), objects.files.read(digest)),
        };
        let damaged = |finding: &str| {
            let what = format!("read the object {} in `{}`", hex(digest), path.display());
            Err(Fault::Damaged(what, finding.to_owned()))
        };
        match read {
            Ok(bytes) if blake3::hash(&bytes) == *digest => {
                Ok(objects.large_values.keep(bytes.into()))
            }
            Ok(_) => damaged("its bytes are not those that it is named after"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                damaged("there is no such file")
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                damaged("the file is shorter than it was")
            }
            Err(error) => Err(Fault::file(&path)(error)),
        }
    }
}

impl Known {
    /// Of a row with the columns `object`, `pack`, `at` and `bytes`, from the column `first` on.
    fn read(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let bytes = row.get(first + 3)?;
        let place = match row.get(first + 1)? {
            Some(pack) => Some(Place { pack, at: row.get(first + 2)?, bytes }),
            None => None,
        };
        Ok(Self { object: row.get(first)?, place, bytes })
    }
}

fn known(connection: &Connection, digest: &Digest) -> Result<Option<Known>> {
    let select = "SELECT object, pack, at, bytes FROM objects WHERE digest = ?1";
    let mut select = connection.prepare_cached(select)?;
    Ok(select.query_row([digest.as_slice()], |row| Known::read(row, 0)).optional()?)
}

/// Whether a run or an entry uses an object.
fn is_used(connection: &Connection, object: i64) -> Result<bool> {
    let select = "SELECT EXISTS (SELECT 1 FROM run_objects WHERE object = ?1) \
         OR EXISTS (SELECT 1 FROM cache_objects WHERE object = ?1)";
    Ok(connection.prepare_cached(select)?.query_row([object], |row| row.get(0))?)
}

/// Whether there are objects in a pack.
fn has_objects(connection: &Connection, pack: i64) -> Result<bool> {
    let select = "SELECT EXISTS (SELECT 1 FROM objects WHERE pack = ?1)";
    Ok(connection.prepare_cached(select)?.query_row([pack], |row| row.get(0))?)
}

/// Puts an object into the table, or says there where it lies now, and answers with its number.
fn put_row(
    connection: &Connection,
    digest: &Digest,
    bytes: u64,
    place: Option<Place>,
) -> Result<i64> {
    let put = "INSERT INTO objects (digest, bytes, pack, at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes, pack = excluded.pack, at = excluded.at \
         RETURNING object";
    let row = params![
        digest.as_slice(),
        whole(bytes),
        place.map(|place| place.pack),
        place.map(|place| whole(place.at)),
    ];
    Ok(connection.prepare_cached(put)?.query_row(row, |row| row.get(0))?)
}

fn put_user(connection: &Connection, object: i64, user: User) -> Result<()> {
    let (put, user) = match user {
        User::Run(run) => ("INSERT OR IGNORE INTO run_objects (object, run) VALUES (?1, ?2)", run),
        User::Entry(entry) => {
            ("INSERT OR IGNORE INTO cache_objects (object, entry) VALUES (?1, ?2)", entry)
        }
    };
    connection.prepare_cached(put)?.execute([object, user])?;
    Ok(())
}

/// The digest of some bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    blake3::hash(bytes).into()
}

/// A digest as hexadecimal digits.
pub(super) fn hex(digest: &Digest) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}

/// The digest that hexadecimal digits stand for.
pub(super) fn from_hex(text: &str) -> Option<Digest> {
    blake3::Hash::from_hex(text).ok().map(Into::into)
}

/// Makes a folder inside another that is there, to last.
fn make_folder(folder: &Path) -> Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Fault::file(folder)(error)),
    }
}

/// Makes the names in a folder last.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(Fault::file(folder))
}

/// Removes a file, if it is there.
fn delete(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Fault::file(path)),
    }
}

//! The journals of the nodes of all hosts. Each host has a directory of its own within the bank's, so that
//! several may share a file system, and does with it what master says.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use bank::account::Outgoing;
use bank::id::{NodeId, Place};
use bank::member::Frame;
use hosts::{Errand, Host};
use journal::Survives;
use serde::de::DeserializeOwned;

use super::keeper::{Keeper, Owner, Request, Which};
use super::{DataError, lock};
use crate::master::placing::host_of;
use crate::master::several;

/// How the directory of a host is called, with its number behind.
const PREFIX: &str = "host-";

/// How long it may take until the processes of a job that was killed are gone from all hosts.
const FOLLOWING: Duration = Duration::from_secs(5);

/// The journals of the nodes of all hosts.
#[derive(Debug)]
pub(super) struct Journals {
    pub(super) here: Keeper,
    pub(super) elsewhere: Errand,
}

impl Journals {
    /// Removes journals.
    pub(super) fn remove(&self, which: Which) -> Result<(), DataError> {
        let _: Vec<()> = several::ask_all(&self.elsewhere, &Request::Remove(which).into())?;
        self.here.remove(which)
    }

    /// How much they take on the disk.
    pub(super) fn bytes(&self) -> Result<u64, DataError> {
        let elsewhere: Vec<u64> = several::ask_all(&self.elsewhere, &Request::Bytes.into())?;
        Ok(self.here.bytes() + elsewhere.iter().sum::<u64>())
    }

    /// The image of a node as it was when it died.
    pub(super) fn image(&self, owner: Owner, account: (NodeId, u64)) -> Result<Vec<u8>, DataError> {
        match self.host_of(owner.place) {
            0 => self.here.image(owner, account),
            host => self.ask(host, Request::Image(owner, account.0, account.1)),
        }
    }

    /// Keeps what a node has done since it died.
    pub(super) fn append(&self, owner: Owner, done: Vec<u8>) -> Result<(), DataError> {
        match self.host_of(owner.place) {
            0 => self.here.append(owner, &done),
            host => self.ask(host, Request::Append(owner, done)),
        }
    }

    /// What a node has sent, on channels behind so many frames.
    pub(super) fn sent(
        &self,
        owner: Owner,
        wanted: &[(Outgoing, u64)],
    ) -> Result<Vec<(Outgoing, Frame)>, DataError> {
        match self.host_of(owner.place) {
            0 => self.here.sent(owner, wanted),
            host => self.ask(host, Request::Sent(owner, wanted.to_vec())),
        }
    }

    /// Whether this may be the directory of another host.
    pub(super) fn is_of_a_host(&self, name: &OsStr) -> bool {
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let number = number.and_then(|number| number.parse().ok());
        number.is_some_and(|number| (1..self.elsewhere.hosts()).contains(&number))
    }

    fn host_of(&self, place: Place) -> Host {
        host_of(place, self.elsewhere.hosts())
    }

    fn ask<T: DeserializeOwned>(&self, host: Host, request: Request) -> Result<T, DataError> {
        Ok(several::ask(&self.elsewhere, host, &request.into())?)
    }
}

/// What this host keeps of a bank, where master is on another one.
#[derive(Debug)]
pub(in crate::master) struct Part(Keeper);

impl Part {
    /// Locks the directory of this host within the bank's, or makes it.
    pub(in crate::master) fn at(
        path: &Path,
        host: Host,
        survives: Survives,
    ) -> Result<Self, DataError> {
        match pipes::Directory::make(path, super::PRIVATE) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => {
                let path = path.to_owned();
                return Err(DataError::Unusable { path, source });
            }
        }
        let path = path.join(format!("{PREFIX}{host}"));
        let directory = Box::leak(Box::new(lock(&path, FOLLOWING)?));
        Ok(Self(Keeper {
            path,
            directory,
            survives,
        }))
    }

    pub(in crate::master) fn held(&self) -> &pipes::Directory {
        self.0.directory.held()
    }

    /// Does what master asks, and returns the answer as bytes.
    pub(in crate::master) fn answer(&self, request: Request) -> Result<Vec<u8>, DataError> {
        self.0.answer(request)
    }

    /// The directory goes, if nothing is in it.
    pub(in crate::master) fn leave(self) {
        if let Ok(path) = self.held().path() {
            let _ = std::fs::remove_dir(path);
        }
    }
}

//! I2: what a name or a family has once resolved to stays resolvable, but for the two calls of a rename.

use reconcile::kinds::architecture::Architecture;
use reconcile::sim::history::{Event, What};

use super::declared::{Declared, Line, architecture};
use super::known::{Known, is_available};

/// One name and one family, and whether they resolve.
pub(super) struct Window<'a> {
    line: &'a Line<'a>,
    of: Architecture,
    latest: bool,
    family: bool,
    is_open: bool,
}

/// One for every architecture of every line that is wanted.
pub(super) fn windows<'a>(declared: &'a Declared<'_>, known: &Known) -> Vec<Window<'a>> {
    let wanted = declared.lines.iter().filter(|it| it.is_wanted());
    let window = |(line, of): (&'a Line<'a>, Architecture)| Window {
        latest: is_served(line, of, known),
        family: is_in_family(line, of, known),
        is_open: false,
        line,
        of,
    };
    wanted
        .flat_map(|line| line.spec.architectures.iter().map(move |it| (line, *it)))
        .map(window)
        .collect()
}

fn is_served(line: &Line<'_>, of: Architecture, known: &Known) -> bool {
    let latest = line.latest(of);
    let mut ours = line.ours(known, of).into_iter();
    ours.any(|it| it.image_name == latest && is_available(it))
}

/// Whether a lookup by family finds something of ours (ECS API reference, `DescribeImageFromFamily`).
fn is_in_family(line: &Line<'_>, of: Architecture, known: &Known) -> bool {
    let family = line.spec.family(of);
    let mut ours = line.ours(known, of).into_iter();
    ours.any(|it| it.image_family == family && is_available(it))
}

impl Window<'_> {
    /// Takes in an event; `known` is the world right after it. Says what is broken.
    pub(super) fn pass(&mut self, event: &Event, known: &Known) -> Result<(), &'static str> {
        let (had_latest, had_family) = (self.latest, self.family);
        self.latest = is_served(self.line, self.of, known);
        self.family = is_in_family(self.line, self.of, known);
        let is_ours = match &event.what {
            What::ImagePut(_)
            | What::InstancePut(_)
            | What::SnapshotPut(_)
            | What::Taken { .. }
            | What::ImageTurned { .. } => false,
            What::ImageDeleted { image, .. } => {
                let is_alike = architecture(image) == Some(self.of);
                if self.is_open && is_alike && self.line.owns(image) {
                    return Err("I2, deleted between the two renames");
                }
                true
            }
            What::ImageRenamed { from, .. } => {
                self.is_open |= *from == self.line.latest(self.of);
                true
            }
            What::ImageCreated(_)
            | What::ImageUsable { .. }
            | What::FamilyChanged { .. }
            | What::InstanceCreated(_)
            | What::InstanceTurned { .. }
            | What::InstanceDeleting(_)
            | What::InstanceDeleted { .. }
            | What::ReleaseTimeChanged { .. }
            | What::SnapshotCreated(_)
            | What::SnapshotDeleted(_)
            | What::Tagged { .. }
            | What::Untagged { .. }
            | What::CommandSent(_)
            | What::CommandBegun { .. }
            | What::CommandEnded { .. } => true,
        };
        self.is_open &= !self.latest;
        if is_ours && had_family && !self.family {
            return Err("I2, the family names nothing any more");
        }
        if is_ours && had_latest && !self.latest && !self.is_open {
            return Err("I2, -latest names nothing any more");
        }
        Ok(())
    }

    /// Whether the name is between two renames.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }
}

//! One thing whose cost is known, at two sizes.

/// What is done to the first so many units of what was prepared.
pub(crate) type Work = Box<dyn FnOnce(u64)>;

/// One thing whose cost is known.
///
/// Whatever the size that is worked on, everything is prepared for both: so that the difference between two processes is the
/// work on the units that only the larger size has.
pub(crate) struct Case {
    /// `ROOM: what`, as the file of expected costs has it.
    pub(crate) name: String,
    /// The smaller and the larger number of units.
    pub(crate) sizes: [u64; 2],
    prepare: Box<dyn Fn([u64; 2]) -> Work>,
}

impl Case {
    /// A case; `prepare` receives both sizes.
    pub(crate) fn new<W: FnOnce(u64) + 'static>(
        name: impl Into<String>,
        sizes: [u64; 2],
        prepare: impl Fn([u64; 2]) -> W + 'static,
    ) -> Case {
        Case { name: name.into(), sizes, prepare: Box::new(move |sizes| Box::new(prepare(sizes))) }
    }

    /// Prepares, and works on one of the sizes.
    pub(crate) fn run(&self, size: u64) {
        (self.prepare)(self.sizes)(size);
    }
}

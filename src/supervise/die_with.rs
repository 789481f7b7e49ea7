//! A supervised process does not outlive its supervisor.

use rustix::process::{Pid, getppid};

use super::SuperviseError;

/// Makes this process end at once when its supervisor does, whatever ended that; on Linux only, as other systems cannot.
///
/// # Errors
/// [`SuperviseError::Orphaned`] when the supervisor has ended already.
pub fn die_with(supervisor: u32) -> Result<(), SuperviseError> {
    expect_parent(supervisor)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| SuperviseError::System { tried: "follow the supervisor", source: error.into() })?;
        // It may have ended before that took effect.
        expect_parent(supervisor)?;
    }
    Ok(())
}

fn expect_parent(supervisor: u32) -> Result<(), SuperviseError> {
    let parent = getppid().map(Pid::as_raw_pid).and_then(|parent| u32::try_from(parent).ok());
    if parent == Some(supervisor) { Ok(()) } else { Err(SuperviseError::Orphaned { supervisor }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_whose_parent_is_another_one_is_orphaned() {
        let own = std::process::id();
        assert!(matches!(die_with(own), Err(SuperviseError::Orphaned { supervisor }) if supervisor == own));
    }
}

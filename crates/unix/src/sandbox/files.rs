//! Files, by Landlock (Linux 5.13): what is opened from now on is one of those named. Open descriptors stay as they are.
//!
//! See `landlock(7)`. With newer kernels listening on TCP ports, signals to processes outside, and abstract sockets of
//! processes outside are kept out as well.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::Needs;

/// The newest version of the interface that is made use of.
const NEWEST: ABI = ABI::V6;

/// What is done with files in a folder that may be written to: no devices, sockets, pipes or links, and no programs.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::from_file(NEWEST) & !AccessFs::Execute & !AccessFs::IoctlDev
        | AccessFs::ReadDir
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
}

/// Shuts the files out; the version of the interface in force, 0 if there is none.
pub(super) fn shut(needs: &Needs) -> Result<u8, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(&needs.reads, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&needs.writes, writing()))?
        .restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u8,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    })
}

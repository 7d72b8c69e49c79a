//! The schema `mesh` as a value.

use crate::key::{Action, Encoding, IdScheme, KeyFormat, KeyFormats, KeyRecord, Labels, RefusalReason, Schema, sound};
use crate::schemas::mesh::MeshDetails;

impl KeyFormat {
    /// `cm_` and 43 base64url characters, 46 bytes; the first 11 are shown. The schema `mesh` has frozen it.
    pub const MESH: Self = sound(Self::new("cm_", 32, Encoding::Base64Url, 11));
}

/// The schema `mesh`. A key's owner is its mesh.
///
/// ```
/// use keyward::schemas::mesh::Mesh;
///
/// assert!(!Mesh::new().is_strict()); // as the service itself verifies
/// assert!(Mesh::new().strict().is_strict());
/// ```
#[derive(Clone, Debug)]
pub struct Mesh {
    formats: KeyFormats,
    strict: bool,
}

impl Mesh {
    /// The schema as the service has it.
    #[must_use]
    pub const fn new() -> Self {
        Self { formats: KeyFormats::new(KeyFormat::MESH), strict: false }
    }

    /// Refuses a key while its mesh is archived or the member who issued it is revoked, which the service itself does
    /// not check, and also when either is gone or the member belongs to another mesh. A lookup then reads the mesh and
    /// the member too. Nobody's key, without an issuer, is fine.
    ///
    /// No key is issued or rotated there either:
    /// [`StoreError::TenantDisabled`](crate::store::StoreError::TenantDisabled).
    #[must_use]
    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Whether the state of the mesh and of the issuer counts.
    #[must_use]
    pub const fn is_strict(&self) -> bool {
        self.strict
    }
}

impl Default for Mesh {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema for Mesh {
    type Details = MeshDetails;

    const NAME: &'static str = "mesh";
    const ID_SCHEME: IdScheme = IdScheme::Alphanumeric;
    const VERSIONED: bool = false;

    fn formats(&self) -> &KeyFormats {
        &self.formats
    }

    fn admits(&self, _key: &KeyRecord<Self>) -> Result<(), RefusalReason> {
        Ok(())
    }

    fn labels(details: &MeshDetails) -> Labels<'_> {
        Labels::named(details.label.as_str())
    }

    fn origin(_details: &MeshDetails) -> Action {
        Action::Issued
    }

    fn begin(&self, _key: &mut KeyRecord<Self>) {}

    fn succeed(&self, _predecessor: &KeyRecord<Self>, _successor: &mut KeyRecord<Self>) {}
}

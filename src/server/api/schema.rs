//! What the descriptions of all endpoints share: instants, days, and the responses to failed requests.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoResponses, PartialSchema, ToResponse, ToSchema};

use crate::book::rfc3339;
use crate::change::Day;
use crate::server::error::ErrorBody;

/// An instant in microseconds since 1970-01-01 UTC; RFC 3339 in JSON.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Timestamp(pub(in crate::server) i64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        text(KnownFormat::DateTime)
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        text(KnownFormat::Date)
    }
}

impl ToSchema for Day {}

/// The body of a file.
pub(in crate::server) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        text(KnownFormat::Binary)
    }
}

impl ToSchema for Binary {}

fn text(format: KnownFormat) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format))).into()
}

/// Why there is no answer
#[derive(ToResponse)]
#[response(content_type = "application/json")]
pub(in crate::server) struct Error(#[expect(dead_code, reason = "only its type is described")] ErrorBody);

/// The responses of the guard, which checks every request.
pub(in crate::server) struct GuardErrors;

impl IntoResponses for GuardErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(["400", "403", "413", "414"])
    }
}

/// The error responses of an endpoint of the API.
pub(in crate::server) struct ApiErrors;

impl IntoResponses for ApiErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(["400", "401", "403", "413", "414", "500", "503"])
    }
}

pub(super) fn errors<const N: usize>(statuses: [&str; N]) -> BTreeMap<String, RefOr<Response>> {
    statuses.map(|status| (status.to_owned(), Ref::from_response_name("Error").into())).into()
}

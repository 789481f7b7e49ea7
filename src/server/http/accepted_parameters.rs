//! The parameters that endpoints accept, described once for requests and for OpenAPI.

use serde_json::json;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Required, Schema};

/// A parameter that an endpoint accepts.
#[derive(Clone, Copy)]
pub(in crate::server) struct AcceptedParameter {
    /// Its name.
    pub(in crate::server) name: &'static str,
    description: &'static str,
    values: Values,
}

/// The values of a parameter.
#[derive(Clone, Copy)]
pub(in crate::server) enum Values {
    Text,
    TextLike { example: &'static str },
    TextOr { default: &'static str },
    Day,
    OneOf(&'static [&'static str]),
    OneOfOr { values: &'static [&'static str], default: &'static str },
    Count { default: usize, most: usize },
}

impl AcceptedParameter {
    pub(in crate::server) const fn new(
        name: &'static str,
        description: &'static str,
        values: Values,
    ) -> AcceptedParameter {
        AcceptedParameter { name, description, values }
    }

    /// Its description in OpenAPI.
    pub(in crate::server) fn description(&self) -> Parameter {
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(self.description))
            .schema(Some(self.values.schema()))
            .build()
    }
}

impl Values {
    fn schema(self) -> Schema {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let schema = match self {
            Values::Text => text(),
            Values::TextLike { example } => text().examples([example]),
            Values::TextOr { default } => text().default(Some(json!(default))),
            Values::Day => text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))),
            Values::OneOf(values) => text().enum_values(Some(values.iter().copied())),
            Values::OneOfOr { values, default } => {
                text().enum_values(Some(values.iter().copied())).default(Some(json!(default)))
            }
            Values::Count { default, most } => ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1usize))
                .maximum(Some(most))
                .default(Some(json!(default))),
        };
        schema.build().into()
    }
}

pub(in crate::server) const FROM: AcceptedParameter =
    AcceptedParameter::new("from", "First day, inclusive", Values::Day);
pub(in crate::server) const TO: AcceptedParameter = AcceptedParameter::new("to", "Last day, inclusive", Values::Day);
pub(in crate::server) const DAY: AcceptedParameter = AcceptedParameter::new("day", "Both from and to", Values::Day);
pub(in crate::server) const TABLE: AcceptedParameter = AcceptedParameter::new(
    "table",
    "Pattern for schema.table; * and ? stand for any text and any character",
    Values::TextLike { example: "public.*" },
);
pub(in crate::server) const OP: AcceptedParameter =
    AcceptedParameter::new("op", "One operation", Values::OneOf(&["INSERT", "UPDATE", "DELETE", "TRUNCATE"]));
pub(in crate::server) const CURSOR: AcceptedParameter =
    AcceptedParameter::new("cursor", "next or previous of another page", Values::Text);
pub(in crate::server) const ORDER: AcceptedParameter = AcceptedParameter::new(
    "order",
    "Which rows come first",
    Values::OneOfOr { values: &["newest", "oldest"], default: "newest" },
);
pub(in crate::server) const DOWNLOAD: AcceptedParameter =
    AcceptedParameter::new("download", "1: the answer carries a file name", Values::OneOf(&["1"]));

/// Declares a type for the parameters of an endpoint: `ACCEPTED` for its requests, `IntoParams` for its description.
macro_rules! accepted_parameters {
    ($name:ident: $($parameter:expr),+ $(,)?) => {
        pub(in crate::server) struct $name;

        impl $name {
            const ACCEPTED: &'static [$crate::server::http::accepted_parameters::AcceptedParameter] =
                &[$($parameter),+];
        }

        impl utoipa::IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                Self::ACCEPTED.iter().map(|parameter| parameter.description()).collect()
            }
        }
    };
}

pub(in crate::server) use accepted_parameters;

//! `/api/openapi.json`: the API for programs, generated from the handlers and the types that they serialize.

use std::sync::LazyLock;

use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::schema::{ApiErrors, Error};
use super::{counts, days, events, health, live, metrics, rejects, status, tables, views};
use crate::server::error::{Answer, ErrorBody};
use crate::server::http::body;
use crate::server::page::assets;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "walbook",
        description = "Counts and changes of a book, and its status. All requests are GET. See docs/api.md for details."
    ),
    paths(
        assets::page,
        assets::asset,
        assets::no_icon,
        counts::counts,
        events::events,
        tables::tables,
        views::views,
        views::view,
        days::days,
        status::status,
        rejects::rejects,
        live::live,
        openapi,
        metrics::metrics,
        health::healthz,
        health::readyz
    ),
    components(schemas(ErrorBody, live::LiveSnapshot, live::LiveDelta, live::LiveViewSnapshot, live::LiveViewDelta), responses(Error)),
    modifiers(&TokenScheme),
    security(("token" = []), ())
)]
struct Description;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("If the server was started with --token-file"))
            .build();
        description.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The description.
pub(in crate::server) static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    let mut description = serde_json::to_value(Description::openapi()).expect("a description is JSON");
    require_nullable(&mut description);
    format!("{description:#}\n")
});

/// Makes every property required that may be null: serde omits no `Option`, but utoipa describes each as optional.
fn require_nullable(schema: &mut Value) {
    if let Some(properties) = schema["properties"].as_object() {
        let nullable: Vec<Value> =
            properties.iter().filter(|(_, property)| may_be_null(property)).map(|(name, _)| json!(name)).collect();
        if let Value::Array(required) = schema["required"].take() {
            schema["required"] = required.into_iter().chain(nullable).collect();
        } else if !nullable.is_empty() {
            schema["required"] = nullable.into();
        }
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(require_nullable),
        Value::Array(items) => items.iter_mut().for_each(require_nullable),
        _ => {}
    }
}

fn may_be_null(schema: &Value) -> bool {
    let is_null = |schema: &Value| *schema == "null" || schema["type"] == "null";
    ["type", "oneOf"].iter().any(|key| schema[*key].as_array().is_some_and(|types| types.iter().any(is_null)))
}

/// This description
#[utoipa::path(get, path = "/api/openapi.json", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"),
    ApiErrors,
))]
pub(in crate::server) async fn openapi() -> Answer {
    Ok(body::answer("application/json", DESCRIPTION.as_str()))
}

//! Whom handlers serve. The shell has found out; here it is taken out of the request and described.

use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::ApiError;
pub(crate) use crate::identity::Principal;

/// Whoever is signed in, by a token or by a session.
pub(crate) struct Auth(pub(crate) Principal);

impl<'a> ApiExtractor<'a> for Auth {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("An API token: `cc_` and 43 characters."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("cc_…"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme("token", scheme);
        let scheme = MetaSecurityScheme {
            ty: "apiKey",
            description: Some(
                "The session of a browser; `cc` on loopback without TLS. What changes something must come from a page \
                 of the same origin.",
            ),
            name: Some("__Host-cc"),
            key_in: Some("cookie"),
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme("session", scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["token", "session"]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let found = request.extensions().get::<Principal>().cloned();
        // A route that the table of access calls public cannot ask who is there.
        Ok(Self(found.ok_or_else(ApiError::internal)?))
    }
}

//! Errors as problem documents (RFC 9457).

use caffeine_store::StoreError;
use poem::http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object};

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not answered as wished (RFC 9457).
#[derive(Debug, Clone, Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Problem {
    /// Identifies the kind of problem: `/problems/` and the code.
    #[oai(rename = "type")]
    kind: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// A stable word for programs.
    code: String,
    /// What is wrong with this request, and what to do.
    detail: Option<String>,
    /// Which parts of the body are wrong.
    errors: Option<Vec<FieldProblem>>,
}

/// A part of the body that is wrong.
#[derive(Debug, Clone, Object)]
pub(crate) struct FieldProblem {
    /// JSON pointer to the part.
    pointer: String,
    /// What is wrong with it, and what to do.
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: Option<String>) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail,
            errors: None,
        }
    }

    /// Says which part of the body is wrong.
    pub(crate) fn at(self, pointer: String, detail: String) -> Self {
        Self { errors: Some(vec![FieldProblem { pointer, detail }]), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Json(self).into_response();
        response.set_status(status);
        response.set_content_type(MEDIA_TYPE)
    }
}

/// The errors that operations answer with. Boxed, because every handler hands one up.
#[derive(ApiResponse)]
pub(crate) enum ApiError {
    /// The request is malformed: a parameter or the body cannot be read.
    #[oai(status = 400, content_type = "application/problem+json")]
    BadRequest(Json<Box<Problem>>),
    /// Nobody is signed in: there is no valid token and no session.
    #[oai(status = 401, content_type = "application/problem+json")]
    Unauthorised(Json<Box<Problem>>),
    /// The role does not allow this.
    #[oai(status = 403, content_type = "application/problem+json")]
    Forbidden(Json<Box<Problem>>),
    /// There is no such thing, or it belongs to somebody else.
    #[oai(status = 404, content_type = "application/problem+json")]
    NotFound(Json<Box<Problem>>),
    /// It contradicts what is there already.
    #[oai(status = 409, content_type = "application/problem+json")]
    Conflict(Json<Box<Problem>>),
    /// The body is larger than 1 MiB.
    #[oai(status = 413, content_type = "application/problem+json")]
    #[expect(dead_code, reason = "documents what the shell answers")]
    TooLarge(Json<Box<Problem>>),
    /// Somebody has changed it meanwhile.
    #[oai(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(Json<Box<Problem>>),
    /// The body is not JSON.
    #[oai(status = 415, content_type = "application/problem+json")]
    #[expect(dead_code, reason = "documents what the shell answers")]
    MediaType(Json<Box<Problem>>),
    /// The body can be read, but a value is refused.
    #[oai(status = 422, content_type = "application/problem+json")]
    Unprocessable(Json<Box<Problem>>),
    /// A change must say which state it is about.
    #[oai(status = 428, content_type = "application/problem+json")]
    PreconditionRequired(Json<Box<Problem>>),
    /// Too many requests in a minute, or too many event streams at once.
    #[oai(status = 429, content_type = "application/problem+json")]
    TooMany(Json<Box<Problem>>),
    /// A fault of the server.
    #[oai(status = 500, content_type = "application/problem+json")]
    Internal(Json<Box<Problem>>),
    /// The database is away, or the answer took too long: try again later.
    #[oai(status = 503, content_type = "application/problem+json")]
    Unavailable(Json<Box<Problem>>),
}

impl ApiError {
    pub(crate) fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::BadRequest(Json(Box::new(Problem::new(StatusCode::BAD_REQUEST, code, Some(detail.into())))))
    }

    pub(crate) fn unauthorised(code: &str, detail: &str) -> Self {
        Self::Unauthorised(Json(Box::new(Problem::new(StatusCode::UNAUTHORIZED, code, Some(detail.to_owned())))))
    }

    pub(crate) fn precondition_required(detail: &str) -> Self {
        let (status, code) = (StatusCode::PRECONDITION_REQUIRED, "precondition_required");
        Self::PreconditionRequired(Json(Box::new(Problem::new(status, code, Some(detail.to_owned())))))
    }

    pub(crate) fn precondition_failed(detail: &str) -> Self {
        let (status, code) = (StatusCode::PRECONDITION_FAILED, "precondition_failed");
        Self::PreconditionFailed(Json(Box::new(Problem::new(status, code, Some(detail.to_owned())))))
    }

    pub(crate) fn forbidden(detail: &str) -> Self {
        Self::Forbidden(Json(Box::new(Problem::new(StatusCode::FORBIDDEN, "forbidden", Some(detail.to_owned())))))
    }

    /// `what` as in "There is no such …".
    pub(crate) fn not_found(what: &str) -> Self {
        let detail = format!("There is no such {what}.");
        Self::NotFound(Json(Box::new(Problem::new(StatusCode::NOT_FOUND, "not_found", Some(detail)))))
    }

    pub(crate) fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::Conflict(Json(Box::new(Problem::new(StatusCode::CONFLICT, code, Some(detail.into())))))
    }

    pub(crate) fn too_many(code: &str, detail: String) -> Self {
        Self::TooMany(Json(Box::new(Problem::new(StatusCode::TOO_MANY_REQUESTS, code, Some(detail)))))
    }

    /// A value that is refused; `pointer` says where it stands in the body.
    pub(crate) fn refused(code: &str, pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, Some(detail.clone()));
        Self::Unprocessable(Json(Box::new(problem.at(pointer.to_owned(), detail))))
    }

    pub(crate) fn broker_away(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::warn!(error, "broker cannot be asked");
        let detail = "The message broker cannot be asked, or is full. Try again in a moment.".to_owned();
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "broker_unavailable", Some(detail));
        Self::Unavailable(Json(Box::new(problem)))
    }

    pub(crate) fn internal() -> Self {
        Self::Internal(Json(Box::new(internal())))
    }
}

/// Says nothing about the cause: it is in the log.
pub(crate) fn internal() -> Problem {
    let detail = "The server made a mistake; its log says which.".to_owned();
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", Some(detail))
}

/// The database is away.
pub(crate) fn unavailable() -> Problem {
    let detail = "The database cannot be reached. Try again in a moment.".to_owned();
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", Some(detail))
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyInUse => {
                let detail = "A request with this `Idempotency-Key` is being answered. Wait for its answer.";
                return Self::conflict("idempotency_key_in_use", detail);
            }
            StoreError::AnswerGone => {
                let detail = "A request with this `Idempotency-Key` has made it, and its secret was in that answer \
                              alone. If that is lost, delete it and make another one with another key.";
                return Self::conflict("answer_gone", detail);
            }
            StoreError::KeyReused => {
                let detail = "This `Idempotency-Key` was used for another request. Choose another key.".to_owned();
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let problem = Problem::new(status, "idempotency_key_reused", Some(detail));
                return Self::Unprocessable(Json(Box::new(problem)));
            }
            _ => {}
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        if error.is_transient() {
            tracing::warn!(error = %error, cause, "database is busy or away");
            return Self::Unavailable(Json(Box::new(unavailable())));
        }
        tracing::error!(error = %error, cause, "statement failed");
        Self::internal()
    }
}

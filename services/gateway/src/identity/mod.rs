//! Who is asking, and may they: sessions of browsers, tokens of programs, limits, and where requests come from.
//!
//! A browser's session is a row; its cookie is a signed text that names the row and is signed anew every few minutes
//! while the row lives. Programs send a token as a bearer. A request that brings a bearer is never looked at for
//! cookies, so what protects against foreign pages needs to look at cookies only.

pub(crate) mod cookie;
pub(crate) mod jws;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod origin;
mod principal;
pub(crate) mod provider;
mod sessions;
mod settings;

use std::net::IpAddr;

use caffeine_model::{SessionId, UserId};
use caffeine_store::gateway::{OpenedSession, PrincipalRow};
use caffeine_store::{Store, StoreError};
use chrono::Utc;
use poem::Request;

use crate::domain::token;
use limits::Limits;
use provider::Provider;
use sessions::{Claims, KIND, Remembered};

pub(crate) use principal::Principal;
pub use settings::IdentityError;
pub(crate) use settings::IdentitySettings;

/// What the handlers and the shell ask about people.
pub(crate) struct Identity {
    pub(crate) settings: IdentitySettings,
    pub(crate) limits: Limits,
    pub(crate) provider: Option<Provider>,
    store: Store,
    remembered: Remembered,
}

/// What a request's credential says.
pub(crate) enum Credential {
    /// It brings none.
    None,
    /// It brings one that is not valid, or not any more.
    Invalid {
        /// Whether it is a cookie, which the browser should forget.
        is_cookie: bool,
    },
    /// It is valid.
    Valid {
        /// Whose it is.
        who: Box<Principal>,
        /// Whether it is a cookie, which browsers send unasked.
        is_cookie: bool,
        /// The header that gives the browser the cookie anew, if it is time.
        renewal: Option<String>,
    },
}

impl Identity {
    /// Connects to nobody.
    ///
    /// # Errors
    /// If there is no TLS for the provider.
    pub(crate) fn new(settings: IdentitySettings, store: Store) -> Result<Self, reqwest::Error> {
        let (limits, remembered) = (Limits::new(settings.rates), Remembered::new(settings.cache));
        let provider = settings.provider.clone().map(Provider::new).transpose()?;
        Ok(Self { settings, limits, provider, store, remembered })
    }

    /// Looks at what a request brings.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub(crate) async fn credential(&self, request: &Request, ip: Option<IpAddr>) -> Result<Credential, StoreError> {
        if let Some(header) = request.header("authorization") {
            let who = self.by_header(header, ip).await?;
            return Ok(who.map_or(Credential::Invalid { is_cookie: false }, |who| Credential::Valid {
                who: Box::new(who),
                is_cookie: false,
                renewal: None,
            }));
        }
        let Some(text) = cookie::value(request, self.settings.cookies.session()) else {
            return Ok(Credential::None);
        };
        let found = self.by_cookie(text, ip).await?;
        Ok(found.map_or(Credential::Invalid { is_cookie: true }, |(who, renewal)| Credential::Valid {
            who: Box::new(who),
            is_cookie: true,
            renewal,
        }))
    }

    async fn by_header(&self, header: &str, ip: Option<IpAddr>) -> Result<Option<Principal>, StoreError> {
        let Some((scheme, text)) = header.split_once(' ') else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Ok(None);
        }
        self.by_token(text, ip).await
    }

    /// Whom a token belongs to.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub(crate) async fn by_token(&self, text: &str, ip: Option<IpAddr>) -> Result<Option<Principal>, StoreError> {
        let text = text.trim();
        if !token::is_well_formed(text) {
            return Ok(None);
        }
        let row = self.store.principal_of_token(&token::hash(text)).await?;
        Ok(row.and_then(|row| Principal::new(row, ip)))
    }

    async fn by_cookie(
        &self,
        text: &str,
        ip: Option<IpAddr>,
    ) -> Result<Option<(Principal, Option<String>)>, StoreError> {
        let claims = self.settings.keys.as_ref().and_then(|keys| keys.verify::<Claims>(KIND, text));
        let Some(claims) = claims else { return Ok(None) };
        // Half of its time is over: the row is asked whether the session lives on.
        let is_old = Utc::now().timestamp() >= claims.iat.midpoint(claims.exp);
        let known = if is_old { None } else { self.remembered.get(claims.sid) };
        let row = match known {
            Some(row) => row,
            None => match self.store.principal_of_session(claims.sid, self.settings.life).await? {
                Some(row) => {
                    self.remembered.put(claims.sid, row.clone());
                    row
                }
                None => {
                    self.remembered.forget(|row| row.session == Some(claims.sid));
                    return Ok(None);
                }
            },
        };
        let Some(who) = Principal::new(row, ip) else { return Ok(None) };
        if who.expires_at <= Utc::now() {
            return Ok(None);
        }
        let session = OpenedSession { id: claims.sid, expires_at: who.expires_at };
        let renewal = if is_old { self.session_cookie(&session) } else { None };
        Ok(Some((who, renewal)))
    }

    /// Whether people may sign in with a token.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.settings.token_sign_in && self.settings.keys.is_some()
    }

    /// The header that gives a browser the cookie of a session; `None` without keys.
    pub(crate) fn session_cookie(&self, session: &OpenedSession) -> Option<String> {
        let now = Utc::now();
        let end = session.expires_at.timestamp();
        let exp = (now.timestamp() + i64::from(self.settings.renew_seconds)).min(end);
        let claims = Claims { sid: session.id, iat: now.timestamp(), exp };
        let text = self.settings.keys.as_ref()?.sign(KIND, &claims)?;
        let cookies = self.settings.cookies;
        Some(cookies.set(cookies.session(), &text, (end - now.timestamp()).max(0)))
    }

    /// The header that makes a browser forget its session.
    pub(crate) fn no_session_cookie(&self) -> String {
        let cookies = self.settings.cookies;
        cookies.clear(cookies.session())
    }

    /// A session has ended.
    pub(crate) fn forget_session(&self, id: SessionId) {
        self.remembered.forget(|row| row.session == Some(id));
    }

    /// A user has changed.
    pub(crate) fn forget_user(&self, user: UserId) {
        self.remembered.forget(|row| row.user == user);
    }

    /// A token was revoked.
    pub(crate) fn forget_token(&self, token: caffeine_model::TokenId) {
        self.remembered.forget(|row: &PrincipalRow| row.token == Some(token));
    }
}

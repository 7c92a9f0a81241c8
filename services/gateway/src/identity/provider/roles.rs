//! Whom a provider's claims mean, and which role they give.

use serde_json::Value;

use crate::domain::role::Role;

/// Which claims say who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentifyBy {
    /// `tid` and `oid`: what Entra ID never gives to somebody else.
    Entra,
    /// `iss` and `sub`, as the standard says.
    Subject,
}

/// What a claim's values are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleMap {
    claim: String,
    /// A value and its role.
    roles: Vec<(String, Role)>,
}

/// Somebody whom the provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vouched {
    pub(crate) external_id: String,
    pub(crate) display_name: String,
    pub(crate) role: Role,
}

/// Why somebody is not let in although the provider vouches for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RoleProblem {
    /// Deny by default.
    #[error("the provider gives no role here")]
    NoRole,
    /// Entra ID leaves the list out if it is too long.
    #[error("the provider has left the list of groups out because it is too long")]
    Overage,
    /// The claims do not say who it is.
    #[error("the token does not say who it is")]
    NoIdentity,
}

impl RoleMap {
    /// Reads the settings: `value=role`; without any, the roles' own names are the values.
    ///
    /// # Errors
    /// The item that is none.
    pub(crate) fn new(claim: &str, items: &[String]) -> Result<Self, String> {
        let own = || Role::ALL.into_iter().map(|role| (role.as_str().to_owned(), role)).collect();
        let parse = |item: &String| {
            let (value, role) = item.rsplit_once('=').ok_or_else(|| item.clone())?;
            let role = role.trim().parse().map_err(|_| item.clone())?;
            Ok((value.trim().to_owned(), role))
        };
        let roles: Vec<(String, Role)> = items.iter().map(parse).collect::<Result<_, String>>()?;
        Ok(Self { claim: claim.to_owned(), roles: if roles.is_empty() { own() } else { roles } })
    }

    /// The highest of the roles that the claims give.
    fn highest(&self, claims: &Value) -> Result<Role, RoleProblem> {
        let Some(given) = claim(claims, &self.claim) else {
            let is_left_out = claims.get("_claim_names").and_then(|names| names.get(&self.claim)).is_some();
            return Err(if is_left_out { RoleProblem::Overage } else { RoleProblem::NoRole });
        };
        let values: Vec<&str> = match given {
            Value::String(text) => text.split_whitespace().chain([text.as_str()]).collect(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let roles = self.roles.iter().filter(|(value, _)| values.contains(&value.as_str()));
        roles.map(|(_, role)| *role).max().ok_or(RoleProblem::NoRole)
    }

    /// Who it is, and as what.
    pub(crate) fn vouched(&self, claims: &Value, by: IdentifyBy) -> Result<Vouched, RoleProblem> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let pair = match by {
            IdentifyBy::Entra => text("tid").zip(text("oid")).map(|(tid, oid)| format!("{tid}:{oid}")),
            IdentifyBy::Subject => text("iss").zip(text("sub")).map(|(iss, sub)| format!("{iss}#{sub}")),
        };
        let external_id = pair.filter(|id| id.len() <= 1_000).ok_or(RoleProblem::NoIdentity)?;
        let role = self.highest(claims)?;
        let name = ["name", "preferred_username", "email", "sub"].into_iter().find_map(text).unwrap_or("?");
        let display_name = name.chars().filter(|c| !c.is_control()).take(200).collect();
        Ok(Vouched { external_id, display_name, role })
    }
}

/// A claim by its name, which may have dots in it or lead into objects by dots.
fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |inside, part| inside.get(part)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{IdentifyBy, RoleMap, RoleProblem};
    use crate::domain::role::Role;

    fn role(claim: &str, map: &[&str], mut claims: Value) -> Result<Role, RoleProblem> {
        claims["iss"] = json!("https://id.corp");
        claims["sub"] = json!("7");
        let items: Vec<String> = map.iter().map(|&item| item.to_owned()).collect();
        let map = RoleMap::new(claim, &items).unwrap();
        map.vouched(&claims, IdentifyBy::Subject).map(|vouched| vouched.role)
    }

    #[test]
    fn the_highest_role_wins_and_none_is_refused() {
        let map = &["Docs.Admins=admin", "Docs.Writers=author", "all=viewer"];
        for (claims, expected) in [
            (json!({ "roles": ["all", "Docs.Admins", "other"] }), Ok(Role::Admin)),
            (json!({ "roles": ["Docs.Writers"] }), Ok(Role::Author)),
            (json!({ "roles": "all Docs.Writers" }), Ok(Role::Author)),
            (json!({ "roles": ["admin"] }), Err(RoleProblem::NoRole)),
            (json!({ "roles": [] }), Err(RoleProblem::NoRole)),
            (json!({ "roles": 7 }), Err(RoleProblem::NoRole)),
            (json!({}), Err(RoleProblem::NoRole)),
            (json!({ "_claim_names": { "roles": "src1" } }), Err(RoleProblem::Overage)),
        ] {
            assert_eq!(role("roles", map, claims.clone()), expected, "{claims}");
        }
        assert_eq!(role("roles", &[], json!({ "roles": ["maintainer", "auditor"] })), Ok(Role::Maintainer));
    }

    #[test]
    fn claims_of_other_providers() {
        let nested = json!({ "realm_access": { "roles": ["author"] } });
        assert_eq!(role("realm_access.roles", &[], nested), Ok(Role::Author));
        let dotted = json!({ "https://docs.corp/roles": ["viewer"] });
        assert_eq!(role("https://docs.corp/roles", &[], dotted), Ok(Role::Viewer));
        assert_eq!(role("groups", &["cn=a,dc=b=admin"], json!({ "groups": ["cn=a,dc=b"] })), Ok(Role::Admin));
    }

    #[test]
    fn who_it_is() {
        let map = RoleMap::new("roles", &[]).unwrap();
        let claims = json!({ "iss": "i", "sub": "s", "tid": "t", "oid": "o", "name": "A\u{7}da", "roles": ["viewer"] });
        let entra = map.vouched(&claims, IdentifyBy::Entra).unwrap();
        assert_eq!((entra.external_id.as_str(), entra.display_name.as_str()), ("t:o", "Ada"));
        assert_eq!(map.vouched(&claims, IdentifyBy::Subject).unwrap().external_id, "i#s");
        let claims = json!({ "iss": "i", "sub": "s", "tid": "t", "email": "x@corp", "roles": ["viewer"] });
        assert_eq!(map.vouched(&claims, IdentifyBy::Entra), Err(RoleProblem::NoIdentity), "never by e-mail");
        assert_eq!(map.vouched(&claims, IdentifyBy::Subject).unwrap().display_name, "x@corp");
    }

    #[test]
    fn settings_that_are_none() {
        for item in ["admin", "x=king", "x="] {
            assert_eq!(RoleMap::new("roles", &[item.to_owned()]), Err(item.to_owned()));
        }
    }
}

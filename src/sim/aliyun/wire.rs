//! Requests taken apart, answers and refusals put together (ECS documentation, "RPC request syntax", "Common errors").

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::sim::{Answer, Request};

/// Parameters by name, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters(pub(super) BTreeMap<String, String>);

impl Parameters {
    /// The value, unless it is missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|it| !it.is_empty())
    }

    /// The tea SDK for Python sends `True`: booleans are read in any case.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.text(name)
            .is_some_and(|it| it.eq_ignore_ascii_case("true"))
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// The values of `Name.1`, `Name.2`, …
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        (1_u32..)
            .map_while(|n| self.text(&format!("{name}.{n}")))
            .collect()
    }

    /// Pairs of `Name.1.Key` and `Name.1.Value`, `Name.2.Key` …; also in the older spelling `key` and `value`.
    pub(super) fn pairs(&self, name: &str) -> Vec<(&str, Option<&str>)> {
        let get = |n: u32, part: &str| {
            self.0
                .get(&format!("{name}.{n}.{part}"))
                .map(String::as_str)
        };
        (1_u32..)
            .map_while(|n| {
                let key = get(n, "Key").or_else(|| get(n, "key"))?;
                Some((key, get(n, "Value").or_else(|| get(n, "value"))))
            })
            .collect()
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after: None,
        }
    }

    /// ECS API reference, `RunInstances`, error codes: the wording of `MissingParameter`.
    pub(super) fn missing(name: &str) -> Self {
        let message = format!(
            "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
        );
        Self::new(400, "MissingParameter", &message)
    }

    /// ECS API reference, `RunInstances`, error codes: the wording of `InvalidParameter`.
    pub(super) fn invalid(name: &str) -> Self {
        let message = format!("The specified parameter \"{name}\" is not valid.");
        Self::new(400, "InvalidParameter", &message)
    }

    /// What the real service does, but not this one: better refused than wrong.
    pub(super) fn unmodelled(what: &str) -> Self {
        let message = format!("The simulator does not model {what}.");
        Self::new(400, "UnsupportedOperation", &message)
    }
}

/// How the caller wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Xml,
}

/// A request taken apart, but not yet believed.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    /// As in `ecs`; empty when neither action nor version tells.
    pub(super) service: &'static str,
    pub(super) action: String,
    pub(super) version: String,
    pub(super) method: String,
    /// Of query and form together.
    pub(super) parameters: Parameters,
    /// Of the query alone.
    pub(super) query: Parameters,
    /// Names that came more than once.
    pub(super) repeated: BTreeSet<String>,
    host: String,
    format: Format,
}

impl Incoming {
    pub(super) fn read(request: &Request) -> Self {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        let mut repeated = BTreeSet::new();
        let query = Parameters(decode_form(&request.query, &mut repeated, &BTreeMap::new()));
        let is_form = header("content-type")
            .is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
        let mut parameters = query.clone();
        if is_form {
            let body = String::from_utf8_lossy(&request.body);
            parameters
                .0
                .extend(decode_form(&body, &mut repeated, &query.0));
        }
        // V3 sends action and version in headers (ECS documentation, "V3 request structure and signature").
        let pick = |head: &str, name: &str| {
            header(head)
                .or(parameters.text(name))
                .unwrap_or_default()
                .to_owned()
        };
        let version = pick("x-acs-version", "Version");
        let action = pick("x-acs-action", "Action");
        // "The default is XML"; V3 always answers JSON (ECS documentation, "Common parameters").
        let wants_json = parameters
            .text("Format")
            .is_some_and(|it| it.eq_ignore_ascii_case("json"));
        let format = if wants_json || header("x-acs-action").is_some() {
            Format::Json
        } else {
            Format::Xml
        };
        Self {
            service: if request.path == "/" {
                service_of(&version)
            } else {
                ""
            },
            action,
            version,
            method: request.method.clone(),
            query,
            repeated,
            host: header("host").unwrap_or("ecs.aliyuncs.com").to_owned(),
            format,
            parameters,
        }
    }

    /// What the request is about: the name of what is to be made, else ids.
    pub(super) fn object(&self) -> Option<String> {
        let text = |name: &str| self.parameters.text(name).map(str::to_owned);
        let list =
            |name: &str| Some(self.parameters.list(name).join(",")).filter(|it| !it.is_empty());
        let named = match self.action.as_str() {
            "CreateImage" => text("ImageName"),
            "RunInstances" => text("InstanceName"),
            "RunCommand" => text("Name"),
            "AssumeRole" | "AssumeRoleWithOIDC" => text("RoleArn"),
            _ => None,
        };
        named
            .or_else(|| text("ImageId"))
            .or_else(|| text("InstanceId"))
            .or_else(|| text("SnapshotId"))
            .or_else(|| list("InstanceId"))
            .or_else(|| list("ResourceId"))
            .or_else(|| text("InstanceIds"))
            .or_else(|| text("SnapshotIds"))
            .or_else(|| text("InvokeId"))
            .or_else(|| text("LaunchTemplateId"))
            .or_else(|| text("ImageName"))
            .or_else(|| text("InstanceName"))
    }

    /// The answer to a reply, in the format that was asked for.
    pub(super) fn render(&self, reply: &Result<Value, Refusal>, request_id: &str) -> Answer {
        let (status, name, mut body) = match reply {
            Ok(body) => (200, format!("{}Response", self.action), body.clone()),
            Err(refusal) => (
                refusal.status,
                "Error".to_owned(),
                self.error(refusal, request_id),
            ),
        };
        if let Value::Object(fields) = &mut body {
            fields.insert("RequestId".to_owned(), json!(request_id));
        }
        let mut answer = match self.format {
            Format::Json => Answer::json(status, &body),
            Format::Xml => {
                let text = format!(
                    "<?xml version='1.0' encoding='UTF-8'?>{}",
                    xml(&name, &body)
                );
                Answer::new(status, "text/xml;charset=utf-8", &text)
            }
        };
        if let Err(Refusal {
            retry_after: Some(wait),
            ..
        }) = reply
        {
            // In milliseconds, as the official SDKs read it.
            let millis = wait.as_millis().to_string();
            answer
                .headers
                .insert("x-acs-retry-after".to_owned(), millis);
        }
        answer
    }

    fn error(&self, refusal: &Refusal, request_id: &str) -> Value {
        let code = &refusal.code;
        let help = format!(
            "https://api.aliyun.com/troubleshoot?q={code}&product=Ecs&requestId={request_id}"
        );
        let mut body = json!({
            "HostId": self.host,
            "Code": code,
            "Message": refusal.message,
            "Recommend": help,
        });
        if code == "Forbidden.RAM" {
            body["AccessDeniedDetail"] = json!({
                "AuthAction": format!("{}:{}", self.service, self.action),
                "NoPermissionType": "ImplicitDeny",
                "PolicyType": "AccountLevelIdentityBasedPolicy",
            });
        }
        body
    }
}

/// The error code of an answer in either format.
pub(super) fn code_of(answer: &Answer) -> Option<String> {
    let body = std::str::from_utf8(&answer.body).ok()?;
    if answer.status < 400 {
        return None;
    }
    if let Ok(value) = serde_json::from_str::<Value>(body) {
        return Some(value.get("Code")?.as_str()?.to_owned());
    }
    let (_, rest) = body.split_once("<Code>")?;
    Some(rest.split_once("</Code>")?.0.to_owned())
}

/// All services share one address here, so that the version tells which is meant.
fn service_of(version: &str) -> &'static str {
    match version {
        "2014-05-26" => "ecs",
        "2015-04-01" => "sts",
        "2016-04-28" => "vpc",
        "2018-12-01" => "cr",
        _ => "",
    }
}

fn decode_form(
    text: &str,
    repeated: &mut BTreeSet<String>,
    before: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut decoded = BTreeMap::new();
    for pair in text.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name);
        let was_there = before.contains_key(&name);
        if decoded.insert(name.clone(), decode(value)).is_some() || was_there {
            repeated.insert(name);
        }
    }
    decoded
}

/// Decodes as forms are decoded: the tea SDK for Python writes a space as `+`.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => match escaped(tail) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &tail[2..];
                }
                None => bytes.push(b'%'),
            },
            other => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that two digits stand for.
fn escaped(tail: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

/// ASSUMED: the JSON answer's fields as elements, lists as repeated ones.
fn xml(name: &str, value: &Value) -> String {
    match value {
        Value::Array(entries) => entries.iter().map(|it| xml(name, it)).collect(),
        Value::Object(fields) => format!("<{name}>{}</{name}>", xml_fields(fields)),
        Value::String(text) => format!("<{name}>{}</{name}>", escape(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => format!("<{name}>{value}</{name}>"),
    }
}

fn xml_fields(fields: &Map<String, Value>) -> String {
    fields
        .iter()
        .map(|(name, value)| xml(name, value))
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

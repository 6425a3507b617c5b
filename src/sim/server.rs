//! Puts a world behind a listener: HTTP/1.1 on the runtime that it is called in, without threads or time of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::select_all;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::sim::time::WorldClock;
use crate::sim::{Answer, CallName, Delivery, Moment, Request, World, admin};

/// Where in a call the gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Nothing has happened yet.
    Before,
    /// The world has changed, and no byte of the answer was sent.
    Applied,
    /// The answer was sent, to its last byte.
    Answered,
}

/// One point of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePoint {
    /// The call, by its number in the world's list of calls and by what it does.
    pub call: CallName,
    /// Where in the call.
    pub side: Side,
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Go,
    /// Do nothing more on this connection, and leave it open: the client waits for ever.
    Halt,
}

/// Is asked at every point of every call, for tests that cut a client down in the middle of one. It is never
/// called while the world is locked.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn(&GatePoint) -> Verdict + Send + Sync>);

impl Gate {
    /// A gate that asks `decide`.
    pub fn new(decide: impl Fn(&GatePoint) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Service {
    /// The world; locked only while a request is handled.
    pub world: Arc<Mutex<World>>,
    /// The world's time.
    pub clock: Arc<WorldClock>,
    /// None: nothing is ever held up.
    pub gate: Option<Gate>,
}

/// Where a world is listened for: one port for most of it, and one for each host that clients know by its name alone.
#[derive(Debug)]
pub struct Ports {
    base: TcpListener,
    hosts: Vec<(String, TcpListener)>,
}

impl Ports {
    /// Listens at `at`, and at a free port of the same address for each host of the world, which is told so.
    pub async fn open(at: SocketAddr, world: &mut World) -> io::Result<Self> {
        let base = TcpListener::bind(at).await?;
        let mut hosts = Vec::new();
        for host in world.hosts() {
            hosts.push((host, TcpListener::bind((at.ip(), 0)).await?));
        }
        let ports = Self { base, hosts };
        world.answer_at(ports.addresses()?);
        Ok(ports)
    }

    /// Where most of the world is.
    pub fn base(&self) -> io::Result<SocketAddr> {
        self.base.local_addr()
    }

    /// Where each host is, as in `127.0.0.1:5000`.
    fn addresses(&self) -> io::Result<BTreeMap<String, String>> {
        let hosts = self.hosts.iter();
        let address = |(host, listener): &(String, TcpListener)| {
            Ok((host.clone(), listener.local_addr()?.to_string()))
        };
        hosts.map(address).collect()
    }

    async fn accept(&self) -> io::Result<(TcpStream, Option<String>)> {
        let base = async { (self.base.accept().await, None) };
        let hosts = self.hosts.iter();
        let hosts = hosts.map(|(host, it)| async move { (it.accept().await, Some(host.clone())) });
        let all = iter::once(base.boxed()).chain(hosts.map(FutureExt::boxed));
        let ((accepted, host), _, _) = select_all(all).await;
        Ok((accepted?.0, host))
    }
}

/// Serves until `stop` is done; every connection ends then.
pub async fn serve(
    ports: Ports,
    service: Service,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut stop = pin!(stop);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = ports.accept() => {
                let (stream, host) = accepted?;
                connections.spawn(converse(stream, host, service.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers what comes over one connection to a host. With a gate it is one request, so that the end of the connection
/// tells that the answer was sent.
async fn converse(stream: TcpStream, host: Option<String>, service: Service) {
    let last: Arc<Mutex<Option<CallName>>> = Arc::default();
    let handle = service_fn(|request| {
        let (service, last, host) = (service.clone(), last.clone(), host.clone());
        async move {
            let request = read(request, host).await?;
            service.respond(request, &last).await
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(service.gate.is_none())
        .serve_connection(TokioIo::new(stream), handle);
    // A connection that breaks is the client's affair, or was cut on purpose.
    let outcome = connection.await;
    let call = lock(&last).take();
    if let (Ok(()), Some(call)) = (outcome, call) {
        service.pass(call, Side::Answered).await;
    }
}

impl Service {
    async fn respond(
        &self,
        request: Request,
        last: &Mutex<Option<CallName>>,
    ) -> Result<http::Response<Full<Bytes>>, io::Error> {
        let answer = match admin::advance_of(&request) {
            Some(Ok(seconds)) => self.advance(seconds),
            Some(Err(error)) => admin::refuse(&error),
            None if admin::is_meant(&request) => {
                let now = self.clock.now();
                lock(&self.world).administer(&request, now)
            }
            None => {
                let call = lock(&self.world).announce(&request);
                self.pass(call.clone(), Side::Before).await;
                let moment = Moment {
                    now: self.clock.now(),
                    real: self.clock.base_now(),
                };
                let answer = lock(&self.world).perform(&call, &request, moment);
                self.pass(call.clone(), Side::Applied).await;
                *lock(last) = Some(call);
                answer
            }
        };
        self.deliver(answer).await
    }

    fn advance(&self, seconds: u64) -> Answer {
        self.clock.advance(Duration::from_secs(seconds));
        Answer::json(200, &json!({"now": self.clock.now()}))
    }

    async fn deliver(&self, mut answer: Answer) -> Result<http::Response<Full<Bytes>>, io::Error> {
        match answer.delivery {
            Delivery::Whole => {}
            Delivery::Cut => return Err(io::ErrorKind::ConnectionAborted.into()),
            Delivery::Late(wait) => self.clock.sleep(wait).await,
        }
        answer = answer.dated(self.clock.now());
        let mut response = http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        response
            .body(Full::new(Bytes::from(answer.body)))
            .map_err(io::Error::other)
    }

    /// Asks the gate, and stays here for ever when it says so.
    async fn pass(&self, call: CallName, side: Side) {
        let Some(Gate(decide)) = &self.gate else {
            return;
        };
        match decide(&GatePoint { call, side }) {
            Verdict::Go => {}
            Verdict::Halt => pending().await,
        }
    }
}

/// Reads a request that came to the port of `host`, whatever name the client has for that.
async fn read(
    request: http::Request<Incoming>,
    host: Option<String>,
) -> Result<Request, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &head.headers {
        // What comes in several lines is one list (RFC 9110, "Field Order"); skopeo sends `Accept` so.
        let listed = headers.get(name.as_str());
        let value = listed.map_or(text(value), |it| format!("{it}, {}", text(value)));
        headers.insert(name.to_string(), value);
    }
    headers.extend(host.map(|it| ("host".to_owned(), it)));
    Ok(Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

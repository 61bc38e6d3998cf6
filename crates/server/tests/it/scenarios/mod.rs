//! The scenarios of `scenarios/`, carried out by the Rust SDK on the built binary: all of them on
//! one server, several at a time, each with users of its own. What the steps mean is what they
//! mean for the TypeScript SDK (`web/e2e/steps.ts`); a step, or something beside one, that is not
//! known here is a failure.

#![allow(
    clippy::disallowed_methods,
    reason = "devices are tasks, and expectations are looked at again after a while"
)]

mod actors;
mod apps;
mod args;
mod created;
mod line;
mod local;
mod looks;
mod media;
mod people;
mod rooms;
mod steps;
mod system;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use yaml_rust2::{Yaml, YamlLoader};

use crate::http::basic;
use crate::server::Place;
use actors::{Actor, Api, Names};
use args::Args;

/// Scenarios at a time.
const AT_A_TIME: usize = 8;

/// A scenario, and where it stands.
struct Scenario {
    title: String,
    devices: Vec<String>,
    users: Vec<String>,
    /// It has an app of its own, with these settings.
    app: Option<Value>,
    steps: Vec<Value>,
}

/// Where a scenario takes place.
struct Stage {
    api: Arc<Api>,
    /// Of the app that scenarios share.
    shared: Arc<Api>,
    names: Names,
    actors: BTreeMap<String, Actor>,
}

impl Stage {
    fn actor(&self, name: &str) -> Result<&Actor, String> {
        let actor = self.actors.get(name);
        actor.ok_or_else(|| format!("{name} is not among the devices"))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/native")
}

/// YAML as JSON, which scenarios could as well be written in.
fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Real(text) => serde_json::from_str(text).unwrap(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Boolean(is) => (*is).into(),
        Yaml::Array(items) => items.iter().map(json).collect(),
        Yaml::Hash(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, value)| (key.as_str().unwrap().to_owned(), json(value)));
            Value::Object(entries.collect::<Map<String, Value>>())
        }
        Yaml::Null => Value::Null,
        other => panic!("a scenario has no {other:?}"),
    }
}

fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

fn scenarios() -> Vec<Scenario> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let documents =
            YamlLoader::load_from_str(&text).unwrap_or_else(|why| panic!("{file}: {why}"));
        for one in json(&documents[0]).as_array().unwrap() {
            all.push(Scenario {
                title: format!("{file}: {}", one["name"].as_str().unwrap()),
                devices: strings(&one["devices"]),
                users: strings(&one["users"]),
                app: one.get("app").cloned(),
                steps: one["steps"].as_array().unwrap().clone(),
            });
        }
    }
    all
}

/// Carries a scenario out; what went wrong, if something did.
async fn play(api: Arc<Api>, number: usize, scenario: &Scenario) -> Result<(), String> {
    let names = Names::new(format!("s{number}-"));
    let shared = api;
    let api = match &scenario.app {
        Some(settings) => shared.create_app(settings.clone()).await?,
        None => Arc::clone(&shared),
    };
    let users = scenario.devices.iter().map(|device| Actor::user_of(device));
    for user in users.chain(scenario.users.iter().map(String::as_str)) {
        api.token(&names.user(user)).await?;
    }
    let mut stage = Stage {
        api,
        shared,
        names,
        actors: BTreeMap::new(),
    };
    for device in &scenario.devices {
        let actor = Actor::arrive(&stage.api, device, &stage.names).await?;
        stage.actors.insert(device.clone(), actor);
    }
    for (i, step) in scenario.steps.iter().enumerate() {
        let (name, args) = step
            .as_object()
            .and_then(|step| step.iter().next())
            .unwrap();
        let args = Args::new(args);
        let done = match name.as_str() {
            "arrive" => {
                for device in &args.devices {
                    let actor = Actor::arrive(&stage.api, device, &stage.names).await?;
                    stage.actors.insert(device.clone(), actor);
                }
                Ok(())
            }
            "restart" => {
                for device in &args.devices {
                    let actor = stage.actors.remove(device);
                    let actor = actor.ok_or_else(|| format!("{device} is not there"))?;
                    stage.actors.insert(device.clone(), actor.restart().await?);
                }
                Ok(())
            }
            _ => steps::perform(&stage, name, &args).await,
        };
        let done = done.and_then(|()| args.all_read());
        done.map_err(|why| format!("step {}, {name}: {why}", i + 1))?;
    }
    Ok(())
}

#[test]
fn every_scenario_goes_as_it_says() {
    let place = Place::new();
    let server = place.start(&[]);
    let api = Arc::new(Api {
        url: server.url().to_owned(),
        websocket: server.text("ws").to_owned(),
        key: "default".to_owned(),
        authorization: basic("default", server.text("api_secret")),
        admin: format!("Bearer {}", server.text("admin_token")),
    });
    let wanted = std::env::var("ANSER_SCENARIO").unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failures = runtime.block_on(async {
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        let mut running = JoinSet::new();
        for (number, scenario) in scenarios().into_iter().enumerate() {
            if !scenario.title.contains(&wanted) {
                continue;
            }
            let (api, room) = (Arc::clone(&api), Arc::clone(&room));
            running.spawn(async move {
                let _permit = room.acquire().await.unwrap();
                let failed = play(api, number, &scenario).await.err();
                failed.map(|why| format!("{}\n    {why}", scenario.title))
            });
        }
        assert!(!running.is_empty(), "no scenario is called {wanted}");
        running.join_all().await
    });
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_step_that_is_not_known_is_a_failure_and_so_is_what_stands_beside_one() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = Stage {
        api: Arc::new(Api::default()),
        shared: Arc::new(Api::default()),
        names: Names::new("s-".to_owned()),
        actors: BTreeMap::new(),
    };
    let args = Args::new(&serde_json::json!({ "color": "red" }));
    let unknown = runtime.block_on(steps::perform(&stage, "paint", &args));
    assert_eq!(unknown.unwrap_err(), "there is no step paint");
    assert_eq!(args.all_read().unwrap_err(), "nothing looks at color");
}

//! A run: from an application to a complete archive, or as near as the source allows.
//!
//! Messages are read at the same time as classes, through one gate, so that neither the rate nor the
//! number of requests under way is exceeded together. What hangs on a class (lists of
//! conversations, subscribers, files) follows it.
//!
//! ```text
//! exports ─► plan ─┬─► messages: lanes of days ───────────────────────────────────┬─► manifest
//!                  └─► classes ─► lists of conversations ─► subscribers ─► files ─┘
//! ```
//!
//! Failures of single requests become remarks ([`Run::missing`]); only a full disk, a damaged
//! manifest or refused credentials end a run. Ended or killed, the next run goes on from there.

mod classes;
mod days;
mod derived;
mod files;
mod lanes;
mod list_source;
mod lists;
mod messages;
mod pager;
mod samples;
mod sort;
mod streams;
mod subscribers;
mod users;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;

pub(crate) use self::classes::write;
pub(crate) use self::files::Stored;
pub(crate) use self::lists::Flags;
use self::messages::Given;
pub(crate) use self::sort::Sorter;
pub(crate) use self::users::without_credentials;
use crate::EXIT_INCOMPLETE;
use crate::ambient;
use crate::api::{Api, ApiError, Settings, headers};
use crate::civil::{day_name, day_of, iso};
use crate::cli::{ArchiveArgs, Form, Part, Via};
use crate::error::{At as _, Error};
use crate::export;
use crate::layout::{Layout, class_unit, message_unit};
use crate::manifest::{Manifest, Plan, Remark, State};
use crate::progress::{self, Progress};
use crate::segment::remove;

/// What every reader needs.
pub(crate) struct Run {
    args: ArchiveArgs,
    layout: Layout,
    plan: Plan,
    progress: std::sync::Arc<Progress>,
    state: Mutex<State>,
    missing: Mutex<BTreeSet<Remark>>,
    notes: Mutex<BTreeSet<Remark>>,
}

impl Run {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("a panic while writing the archive ends the run")
    }

    /// Lists something that should be in the archive and could not be had.
    fn missing(&self, what: &str, reason: &str) {
        self.missing_many(what, reason, 1);
    }

    fn missing_many(&self, what: &str, reason: &str, count: u64) {
        remark(&self.missing, what, reason, count);
    }

    /// Lists something that the source does not have or was not asked for.
    fn note(&self, what: &str, reason: &str) {
        self.note_many(what, reason, 1);
    }

    fn note_many(&self, what: &str, reason: &str, count: u64) {
        remark(&self.notes, what, reason, count);
    }

    /// Lists a failure and lets the run go on, unless nothing else could succeed.
    fn lacking(&self, what: &str, error: ApiError) -> Result<(), Error> {
        if matches!(error, ApiError::Unauthorized(_)) {
            return Err(error.into());
        }
        self.missing(what, &error.to_string());
        Ok(())
    }

    fn is_noted(&self, what: &str) -> bool {
        let notes = self
            .notes
            .lock()
            .expect("nothing panics while it holds this");
        notes.iter().any(|note| note.what == what)
    }

    fn wants(&self, part: Part) -> bool {
        !self.args.skip.contains(&part)
    }
}

fn remark(remarks: &Mutex<BTreeSet<Remark>>, what: &str, reason: &str, count: u64) {
    let remark = Remark {
        what: what.to_owned(),
        reason: reason.to_owned(),
        count,
    };
    remarks
        .lock()
        .expect("nothing panics while it holds this")
        .insert(remark);
}

/// What a run says at its end.
#[derive(Serialize)]
struct Summary<'a> {
    complete: bool,
    messages_until: Option<String>,
    totals: &'a crate::manifest::Totals,
    requests: u64,
    throttled: u64,
    failed: u64,
    seconds: u64,
    missing: &'a [Remark],
    lost: &'a [Remark],
    notes: &'a [Remark],
}

/// Runs `archive`.
pub(crate) async fn run(args: ArchiveArgs) -> Result<ExitCode, Error> {
    let form = progress::form(args.progress, args.quiet);
    let api = if args.offline {
        None
    } else {
        Some(connect(&args)?)
    };
    let progress = std::sync::Arc::new(Progress::default());
    let (began, began_wall) = (ambient::monotonic(), ambient::wall_ms());
    let work = work(args, api.as_ref(), &progress);
    let (layout, manifest) = progress::reported(&progress, api.as_ref(), form, work).await?;
    let counters = api.as_ref().map(|api| &api.counters);
    let counted = |pick: fn(&crate::api::Counters) -> u64| counters.map_or(0, pick);
    let summary = Summary {
        complete: manifest.is_complete(),
        messages_until: manifest.messages_until.map(iso),
        totals: &manifest.totals,
        requests: counted(|c| c.requests.load(Ordering::Relaxed)),
        throttled: counted(|c| c.throttled.load(Ordering::Relaxed)),
        failed: counted(|c| c.failed.load(Ordering::Relaxed)),
        seconds: (ambient::monotonic() - began).as_secs(),
        missing: &manifest.missing,
        lost: &manifest.lost,
        notes: &manifest.notes,
    };
    log(&layout, began_wall, &summary)?;
    match form {
        Form::Json => progress::say(&progress::json(&summary)),
        Form::None => {}
        Form::Bars | Form::Lines => say(&summary),
    }
    Ok(if summary.complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_INCOMPLETE)
    })
}

async fn work(
    args: ArchiveArgs,
    api: Option<&Api>,
    progress: &std::sync::Arc<Progress>,
) -> Result<(Layout, Manifest), Error> {
    progress.doing("the files that are there");
    let layout = Layout::new(&args.archive);
    let (opened, app_id, trust) = (layout.clone(), args.app_id.clone(), args.trust_existing);
    let mut state = ambient::blocking(move || State::open(&opened, &app_id, trust)).await?;
    let plan = plan(&args, api, &mut state).await?;
    let run = Run {
        args,
        layout: layout.clone(),
        plan,
        progress: progress.clone(),
        state: Mutex::new(state),
        missing: Mutex::default(),
        notes: Mutex::default(),
    };
    take_in_exports(&run).await?;
    if let Some(api) = api {
        let ((), given) = futures::try_join!(objects(&run, api), by_time(&run, api))?;
        match given {
            Some(Given::Yes) => samples::compare(&run, api).await?,
            Some(Given::No(error)) if run.args.via == Via::Application => {
                run.lacking("messages", error)?
            }
            Some(Given::No(error)) => {
                run.note("history of the whole application", &error.to_string());
                streams::read(&run, api).await?;
            }
            None => {}
        }
    } else {
        run.note("api", "not asked (--offline): only exports were taken in");
    }
    run.note(
        "temporary silences",
        "the API cannot list them; they last a day at most",
    );
    finish(run, layout)
}

/// Reads the messages from the history of the whole application, if that is wanted.
async fn by_time(run: &Run, api: &Api) -> Result<Option<Given>, Error> {
    if !run.wants(Part::Messages) {
        run.note("messages", "not asked for");
        return Ok(None);
    }
    if run.args.via == Via::Conversations {
        let asked = ApiError::GaveUp {
            attempts: 0,
            last: "not asked (--via conversations)".to_owned(),
        };
        return Ok(Some(Given::No(asked)));
    }
    messages::read(run, api).await.map(Some)
}

fn finish(run: Run, layout: Layout) -> Result<(Layout, Manifest), Error> {
    let collected = |remarks: Mutex<BTreeSet<Remark>>| {
        remarks
            .into_inner()
            .expect("nothing panics while it holds this")
            .into_iter()
            .collect()
    };
    let mut state = run
        .state
        .into_inner()
        .expect("a panic while writing the archive ends the run");
    state.complete(collected(run.missing), collected(run.notes))?;
    remove(&layout.spool(streams::SPOOL))?;
    Ok((layout, state.manifest))
}

/// Takes over the plan of an interrupted run, or makes one.
async fn plan(args: &ArchiveArgs, api: Option<&Api>, state: &mut State) -> Result<Plan, Error> {
    // A plan made offline knows no time.
    if let Some(plan) = state
        .plan
        .clone()
        .filter(|plan| plan.until > 0 || api.is_none())
    {
        if args.until.is_some_and(|asked| asked != plan.until) {
            let until = iso(plan.until);
            progress::complain(&format!(
                "finishing the interrupted run first: messages before {until}"
            ));
        }
        return Ok(plan);
    }
    let until = match api {
        // Asked first of all: it also shows at once whether the credentials are right.
        Some(api) => {
            let latest = api.time().await? - i64::from(args.settle) * 1000;
            args.until.map_or(latest, |asked| asked.min(latest))
        }
        None => 0,
    };
    let first_again = day_of(until) - i64::from(args.reread_days) + 1;
    let again = (first_again..=day_of(until)).map(|day| message_unit(&day_name(day)));
    let again = again
        .filter(|unit| state.manifest.units.contains_key(unit))
        .collect();
    let plan = Plan { until, again };
    state.begin(&plan)?;
    Ok(plan)
}

async fn take_in_exports(run: &Run) -> Result<(), Error> {
    for (class, files) in export::find(&run.args.export)? {
        let unit = class_unit(&class);
        let wanted =
            classes::IM_CLASSES.contains(&class.as_str()) || run.args.classes.contains(&class);
        if !wanted {
            run.note(&unit, "in the export but not asked for (--class)");
            continue;
        }
        if run.state().manifest.units.contains_key(&unit) {
            continue;
        }
        run.progress.doing(format!("export of {class}"));
        let (layout, keep) = (run.layout.clone(), run.args.user_credentials);
        let finished =
            ambient::blocking(move || export::take_in(&layout, &class, &files, keep)).await?;
        Progress::add(&run.progress.rows, finished.unit.rows);
        run.state().finish(&finished)?;
    }
    Ok(())
}

/// Classes, then what hangs on them.
async fn objects(run: &Run, api: &Api) -> Result<(), Error> {
    let own = run.args.classes.iter().map(String::as_str);
    let names: BTreeSet<&str> = classes::IM_CLASSES.into_iter().chain(own).collect();
    if run.wants(Part::Classes) {
        let all = names.iter().map(|class| classes::read(run, api, class));
        futures::future::try_join_all(all).await?;
    } else {
        run.note("classes", "not asked for");
    }
    let has = |class: &str| run.state().manifest.units.contains_key(&class_unit(class));
    let (conversations, file_rows) = (has("_Conversation"), has("_File"));
    let parts = [
        (
            "block lists, silences and broadcasts",
            run.wants(Part::Lists),
            "_Conversation",
        ),
        (
            "conversations blocked by clients",
            run.args.client_blocks,
            "_Conversation",
        ),
        (
            "subscribers of service conversations",
            run.wants(Part::Subscribers),
            "_Conversation",
        ),
        ("bytes of files", run.args.files, "_File"),
    ];
    for (what, wanted, class) in parts {
        match (wanted, has(class)) {
            (false, _) => run.note(what, "not asked for"),
            // What an earlier run has of it stays.
            (true, false) if run.is_noted(&class_unit(class)) => {
                run.note(what, "the source has no class that lists them");
            }
            (true, false) => run.missing(what, "the class that lists them is not in the archive"),
            (true, true) => {}
        }
    }
    if run.wants(Part::Lists) && conversations {
        lists::read_conversations(run, api).await?;
    }
    if run.args.client_blocks && conversations {
        lists::read_clients(run, api).await?;
    }
    if run.wants(Part::Subscribers) && conversations {
        subscribers::read(run, api).await?;
    }
    if run.args.files && file_rows {
        files::read(run, api).await?;
    }
    Ok(())
}

/// Loopback hosts may be reached without TLS.
fn connect(args: &ArchiveArgs) -> Result<Api, Error> {
    let host = args
        .host
        .as_deref()
        .unwrap_or_default()
        .trim_end_matches('/');
    let host = if host.contains("://") {
        host.to_owned()
    } else {
        format!("https://{host}")
    };
    let plain = host.strip_prefix("http://");
    let name = plain.map(|rest| rest.rsplit_once(':').map_or(rest, |(name, _)| name));
    if name.is_some_and(|name| {
        !["127.0.0.1", "localhost", "[::1]"].contains(&name) && !args.allow_plain_http
    }) {
        let text = "the host has no TLS; --allow-plain-http would send the master key in clear";
        return Err(Error::Usage(text.to_owned()));
    }
    if plain.is_none() && !host.starts_with("https://") {
        return Err(Error::Usage(format!("`{host}` is no https:// address")));
    }
    Api::new(Settings {
        host,
        headers: headers(&args.app_id, args.master_key_file.as_deref())?,
        rate: args.rate,
        parallel: usize::from(args.parallel),
        timeout: Duration::from_secs(args.timeout),
        patience: Duration::from_secs(args.patience),
    })
}

fn log(layout: &Layout, began: i64, summary: &Summary<'_>) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        began: String,
        #[serde(flatten)]
        summary: &'a Summary<'a>,
    }
    let path = layout.runs();
    let line = progress::json(&Line {
        began: iso(began),
        summary,
    });
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| writeln!(file, "{line}")).at(&path)
}

fn say(summary: &Summary<'_>) {
    let totals = summary.totals;
    progress::say(&format!(
        "{} messages, {} objects, {} lists, {} subscribers, {} files · {} requests ({} throttled, {} repeated), {} s",
        totals.messages,
        totals.objects,
        totals.lists,
        totals.subscribers,
        totals.files,
        summary.requests,
        summary.throttled,
        summary.failed,
        summary.seconds
    ));
    if let Some(until) = &summary.messages_until {
        progress::say(&format!("messages before {until} (UTC)"));
    }
    for (title, remarks) in [
        ("note", summary.notes),
        ("missing", summary.missing),
        ("lost", summary.lost),
    ] {
        for remark in remarks {
            progress::say(&format!(
                "{title}: {} × {}: {}",
                remark.count, remark.what, remark.reason
            ));
        }
    }
    progress::say(if summary.complete {
        "complete"
    } else {
        "INCOMPLETE: what is missing is listed above and in manifest.json; run again to try it again"
    });
}

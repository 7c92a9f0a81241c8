//! `caffeine dlq`: dead letters, by the administrative connection.

use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail};
use caffeine_bus::{Bus, DeadLetter, DeadLetterFilter, Redelivery};
use caffeine_contract::{Kind, Message, Service as Name, v1};
use caffeine_kit::Configuration;
use caffeine_model::RunId;
use caffeine_store::Store;
use chrono::{DateTime, SecondsFormat, Utc};
use prost::bytes::Bytes;

use crate::cli::{DlqAction, DlqArgs, DlqChoice, DlqFilter};

/// How many letters one page of `--all` holds in memory.
const PAGE: usize = 100;

/// Runs one action.
pub(crate) async fn dlq(args: DlqArgs) -> anyhow::Result<ExitCode> {
    // Only the housekeeper may look into streams.
    let settings = Configuration::from_process(None)?.settings_of(Name::Housekeeper)?;
    let bus = Bus::connect(&settings.bus_config(Name::Housekeeper.as_str())?).await?;
    let outcome = match args.action {
        DlqAction::List { filter, limit, from } => list(&bus, &filter.into(), from, limit).await,
        DlqAction::Show { id } => show(&bus, id).await,
        DlqAction::Redeliver(choice) => {
            let store = Store::connect(settings.require_database_url()?, 1, "caffeine dlq").await?;
            let outcome = redeliver(&bus, &store, choice).await;
            store.close().await;
            outcome
        }
        DlqAction::Drop(choice) => drop_letters(&bus, choice).await,
    };
    bus.drain().await;
    outcome
}

impl From<DlqFilter> for DeadLetterFilter {
    fn from(filter: DlqFilter) -> Self {
        Self { stage: filter.stage, workspace: None, code: filter.code, run: filter.run.map(RunId::from_uuid) }
    }
}

async fn list(bus: &Bus, filter: &DeadLetterFilter, from: u64, limit: usize) -> anyhow::Result<ExitCode> {
    let letters = bus.dead_letters(filter, from, limit).await?;
    if letters.is_empty() {
        println!("No dead letters.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:>8}  {:<10} {:<20} {:<36}  {:<18} reason", "id", "stage", "message", "run", "code");
    for letter in &letters {
        let run = letter.scope.as_ref().map_or_else(|| "-".to_owned(), |scope| scope.run.to_string());
        let message = letter.kind.map_or("-", |kind| kind.spec().name);
        println!(
            "{:>8}  {:<10} {message:<20} {run:<36}  {:<18} {}",
            letter.id, letter.stage, letter.code, letter.reason
        );
    }
    if letters.len() == limit {
        println!("There may be more: --from {}", letters.last().map_or(0, |letter| letter.id + 1));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(bus: &Bus, id: u64) -> anyhow::Result<ExitCode> {
    let Some(letter) = bus.dead_letter(id).await? else {
        bail!("there is no dead letter {id}: see `caffeine dlq list`")
    };
    println!("id          {}", letter.id);
    println!(
        "written     {}",
        DateTime::<Utc>::from(UNIX_EPOCH + letter.at).to_rfc3339_opts(SecondsFormat::Secs, true)
    );
    println!("stage       {}", letter.stage);
    println!("code        {}", letter.code);
    println!("reason      {}", letter.reason);
    println!("delivered   {} times", letter.delivered);
    println!("message     {}", letter.kind.map_or("unknown", |kind| kind.spec().name));
    println!("key         {}", letter.key.as_deref().unwrap_or("unknown"));
    if let Some(scope) = &letter.scope {
        println!("workspace   {}", scope.workspace);
        println!("repository  {}", scope.repository);
        println!("run         {}", scope.run);
        println!("generation  {}", scope.generation.0);
    }
    println!("body        {} bytes", letter.body.len());
    println!("{}", body(&letter));
    Ok(ExitCode::SUCCESS)
}

/// The body as a person reads it. File contents are counted, not shown.
fn body(letter: &DeadLetter) -> String {
    fn text<M: Message + std::fmt::Debug>(body: &Bytes, tidy: impl FnOnce(&mut M)) -> String {
        match M::decode(body.clone()) {
            Ok(mut message) => {
                tidy(&mut message);
                format!("{message:#?}")
            }
            Err(error) => format!("cannot be decoded: {error}"),
        }
    }
    // The scope stands above, in words.
    fn plain<M: Message + std::fmt::Debug>(body: &Bytes) -> String {
        text::<M>(body, |message| message.set_scope(v1::Scope::default()))
    }
    let bytes = &letter.body;
    match letter.kind {
        None => "cannot be decoded: its headers do not say what it is".to_owned(),
        Some(Kind::CloneRequested) => plain::<v1::CloneRequested>(bytes),
        Some(Kind::CloneProbe) => plain::<v1::CloneProbe>(bytes),
        Some(Kind::FilesBatch) => text::<v1::FilesBatch>(bytes, |message| {
            message.scope = None;
            message.files = Bytes::from(format!("{} bytes, compressed", message.files.len()));
        }),
        Some(Kind::FilesListed) => plain::<v1::FilesListed>(bytes),
        Some(Kind::ChunksBatch) => text::<v1::ChunksBatch>(bytes, |message| {
            message.scope = None;
            message.chunks = Bytes::from(format!("{} bytes, compressed", message.chunks.len()));
        }),
        Some(Kind::ChunksListed) => plain::<v1::ChunksListed>(bytes),
        Some(Kind::LinkRequested) => plain::<v1::LinkRequested>(bytes),
        Some(Kind::DocumentRequested) => plain::<v1::DocumentRequested>(bytes),
        Some(Kind::DocumentReady) => plain::<v1::DocumentReady>(bytes),
        Some(Kind::PageRequested) => plain::<v1::PageRequested>(bytes),
        Some(Kind::RunTransition) => plain::<v1::RunTransition>(bytes),
    }
}

/// The numbers that a choice means.
async fn chosen(bus: &Bus, choice: DlqChoice) -> anyhow::Result<Vec<u64>> {
    if !choice.all && !choice.ids.is_empty() {
        return Ok(choice.ids);
    }
    let filter = DeadLetterFilter::from(choice.filter);
    let (mut ids, mut from) = (Vec::new(), 1);
    loop {
        let page = bus.dead_letters(&filter, from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(ids) };
        from = last.id + 1;
        ids.extend(page.iter().map(|letter| letter.id));
    }
}

async fn redeliver(bus: &Bus, store: &Store, choice: DlqChoice) -> anyhow::Result<ExitCode> {
    let mut all_well = true;
    for id in chosen(bus, choice).await? {
        let scope = bus.dead_letter(id).await?.and_then(|letter| letter.scope);
        let over = match &scope {
            Some(scope) => store.run_is_over(scope.run).await.context("ask for the run")?,
            None => false,
        };
        let (well, word) = match bus.redeliver(id, over).await? {
            None => (false, "there is no such dead letter"),
            Some(Redelivery::Sent) => (true, "sent into its run"),
            Some(Redelivery::FollowedByRun) => (true, "its run has ended: a new one was asked for"),
            Some(Redelivery::Unreadable) => {
                (false, "its headers do not say what it was or whose; look at it and drop it")
            }
            Some(Redelivery::NoRoom) => (false, "there is no room for it now; try again later"),
        };
        all_well &= well;
        println!("{id}: {word}");
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn drop_letters(bus: &Bus, choice: DlqChoice) -> anyhow::Result<ExitCode> {
    // A number that was mistyped must not look like a letter that is gone now.
    let mut missing = 0;
    let ids = chosen(bus, choice).await?;
    for id in &ids {
        if bus.dead_letter(*id).await?.is_none() {
            println!("{id}: there is no such dead letter");
            missing += 1;
            continue;
        }
        bus.drop_dead_letter(*id).await?;
    }
    if ids.len() > missing || missing == 0 {
        println!("{} dropped", ids.len() - missing);
    }
    Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

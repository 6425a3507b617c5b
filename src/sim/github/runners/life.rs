//! What time does to runners and jobs, and to the machines that they live on.
//!
//! A just-in-time runner is the process on the machine that was told its configuration. It connects a while after the
//! machine runs, takes one job, and its machine switches itself off. ASSUMED: how long each takes. A runner that is lost with
//! a job stays busy for about a quarter of an hour, then its job fails (`ubicloud`, issue 1678); the record of an ephemeral
//! runner goes with its job (GitHub Docs, "Self-hosted runners", "Using ephemeral runners").

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{InstanceId, RegionId};
use crate::sim::aliyun::Cloud;
use crate::sim::github::GitHub;
use crate::sim::github::runs::Runs;
use crate::sim::object::{Instance, InstanceStatus};

use super::Runners;
use super::history::RunnerDeed;
use super::jobs::Taken;
use super::records::State;

/// How long a lost runner stays busy.
const LOST_FOR: Duration = Duration::from_secs(15 * 60);

impl GitHub {
    /// When something happens next to runners or jobs by itself, after all that happened by now.
    pub(crate) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let runners = &self.runners;
        let records = runners.records.iter().filter(|it| it.latest().is_some());
        let connect = records.clone().filter_map(|it| it.connects);
        let lost = records.filter_map(|it| Some(it.lost?.plus(LOST_FOR)));
        let open = runners.jobs.iter().filter(|it| it.ended.is_none());
        let jobs = open.flat_map(|it| {
            let end = it
                .taken
                .as_ref()
                .map(|taken| taken.at.plus(Duration::from_secs(it.seconds)));
            [end, it.cancelled, Some(it.queued)]
        });
        let all = connect.chain(lost).chain(jobs.flatten());
        all.filter(|it| *it > now).min()
    }

    /// Lets everything happen that is due now, in a cloud as it is now.
    pub(crate) fn live(&mut self, cloud: &mut Cloud, now: Timestamp) {
        let mut life = Life {
            runners: &mut self.runners,
            runs: &mut self.runs,
            cloud,
            now,
        };
        life.bind();
        life.machines();
        life.end_jobs();
        life.begin_jobs();
    }
}

struct Life<'a> {
    runners: &'a mut Runners,
    runs: &'a mut Runs,
    cloud: &'a mut Cloud,
    now: Timestamp,
}

impl Life<'_> {
    /// Finds the machines of records that have none yet.
    fn bind(&mut self) {
        let open = |it: &super::Record| !it.is_bound && it.latest().is_some();
        if !self.runners.records.iter().any(open) {
            return;
        }
        let mut by_record: BTreeMap<u64, (RegionId, InstanceId)> = BTreeMap::new();
        let mut by_name: BTreeMap<String, (RegionId, InstanceId)> = BTreeMap::new();
        for (region, objects) in self.cloud.regions() {
            for it in objects.instances.all() {
                let place = (region.clone(), it.instance_id.clone());
                match it.runner {
                    Some(record) => drop(by_record.insert(record, place)),
                    None => drop(by_name.insert(it.instance_name.clone(), place)),
                }
            }
        }
        for record in self.runners.records.iter_mut().filter(|it| open(it)) {
            record.machine = if record.is_configured {
                by_record.get(&record.id).cloned()
            } else {
                by_name.get(&record.name).cloned()
            };
            record.is_bound = record.machine.is_some() || !record.is_configured;
        }
    }

    /// Runners connect with their machines, and are lost with them.
    fn machines(&mut self) {
        for index in 0..self.runners.records.len() {
            let record = &self.runners.records[index];
            let (Some(state), Some(place)) = (record.latest(), record.machine.clone()) else {
                continue;
            };
            let found = self.cloud.region(place.0.as_str());
            let found = found.and_then(|it| it.instances.get(place.1.as_str()));
            let (has_a_loss, is_cut) = (record.lost.is_some(), record.cut.is_some());
            let is_up =
                found.is_some_and(|it| it.status == InstanceStatus::Running && !it.is_going());
            let connects = found.and_then(|it| self.cloud.runner_connects(it));
            if is_up && !state.has_connected {
                self.connect(index, connects);
            }
            if is_up && state.has_connected && !state.is_online && is_cut {
                self.reconnect(index, state);
            }
            if !is_up && (state.is_online || (state.is_busy && !has_a_loss)) {
                self.lose(index, state);
            }
        }
        let over = |it: &super::Record| it.lost.is_some_and(|at| at.plus(LOST_FOR) <= self.now);
        let over: Vec<usize> = (0..self.runners.records.len())
            .filter(|it| {
                self.runners.records[*it].latest().is_some() && over(&self.runners.records[*it])
            })
            .collect();
        for index in over {
            self.give_up(index);
        }
    }

    fn connect(&mut self, index: usize, connects: Option<Timestamp>) {
        let record = &mut self.runners.records[index];
        record.connects = connects;
        if connects.is_none_or(|it| it > self.now) {
            return;
        }
        record.connects = None;
        let state = State {
            is_online: true,
            has_connected: true,
            is_busy: false,
        };
        record.turn(self.now, Some(state));
        self.runners
            .note(self.now, Some(index), RunnerDeed::Connected);
    }

    /// A runner whose machine is there again before it is given up goes on with its job.
    fn reconnect(&mut self, index: usize, state: State) {
        let record = &mut self.runners.records[index];
        record.lost = None;
        record.cut = None;
        let state = State {
            is_online: true,
            ..state
        };
        record.turn(self.now, Some(state));
        self.runners
            .note(self.now, Some(index), RunnerDeed::Connected);
    }

    fn lose(&mut self, index: usize, state: State) {
        let record = &mut self.runners.records[index];
        if state.is_busy {
            record.lost = Some(self.now);
        }
        record.connects = None;
        record.cut = Some(self.now);
        let state = State {
            is_online: false,
            ..state
        };
        record.turn(self.now, Some(state));
        self.runners.note(self.now, Some(index), RunnerDeed::Lost);
    }

    /// A lost runner is not waited for any longer.
    fn give_up(&mut self, index: usize) {
        self.runners.records[index].lost = None;
        let has = |it: &super::Job| {
            it.ended.is_none() && it.taken.as_ref().is_some_and(|it| it.record == index)
        };
        match self.runners.jobs.iter().position(has) {
            Some(job) => self.end(job, "failure"),
            None => self.release(index),
        }
    }

    fn end_jobs(&mut self) {
        for job in 0..self.runners.jobs.len() {
            let it = &self.runners.jobs[job];
            if it.ended.is_some() || it.queued > self.now {
                continue;
            }
            let is_cancelled = it.cancelled.is_some_and(|it| it <= self.now);
            let Some(taken) = &it.taken else {
                if is_cancelled {
                    self.end(job, "cancelled");
                }
                continue;
            };
            // Of a lost one GitHub hears nothing more.
            let is_lost = self.runners.records[taken.record].lost.is_some();
            let is_done = taken.at.plus(Duration::from_secs(it.seconds)) <= self.now;
            let conclusion = it.conclusion.clone();
            if !is_lost && is_cancelled {
                self.end(job, "cancelled");
            } else if !is_lost && is_done {
                self.end(job, &conclusion);
            }
        }
    }

    fn end(&mut self, job: usize, conclusion: &str) {
        let now = self.now;
        let it = &mut self.runners.jobs[job];
        it.ended = Some((now, conclusion.to_owned()));
        let (id, run) = (it.id, it.run);
        let record = it.taken.as_ref().map(|it| it.record);
        let ended = RunnerDeed::Ended {
            job: id,
            conclusion: conclusion.to_owned(),
        };
        self.runners.note(now, record, ended);
        self.runners.tell(self.runs, run, now);
        if let Some(record) = record {
            self.release(record);
        }
    }

    /// A runner whose job is over: an ephemeral one goes, and its guest switches the machine off.
    fn release(&mut self, index: usize) {
        let record = &mut self.runners.records[index];
        let Some(state) = record.latest() else { return };
        if !record.is_ephemeral {
            let state = State {
                is_busy: false,
                ..state
            };
            record.turn(self.now, Some(state));
            return;
        }
        record.turn(self.now, None);
        let machine = record.machine.clone().filter(|_| record.is_configured);
        let by_client = false;
        self.runners
            .note(self.now, Some(index), RunnerDeed::Removed { by_client });
        if let Some((region, instance)) = machine {
            self.cloud.switch_off(&region, instance.as_str(), self.now);
        }
    }

    /// Jobs go to those who are idle, the oldest first.
    fn begin_jobs(&mut self) {
        let mut waiting: Vec<usize> = (0..self.runners.jobs.len())
            .filter(|it| self.runners.jobs[*it].is_waiting(self.now))
            .collect();
        waiting.sort_by_key(|it| (self.runners.jobs[*it].queued, *it));
        let is_idle =
            |it: &super::Record| it.latest().is_some_and(|it| it.is_online && !it.is_busy);
        let mut idle: Vec<usize> = (0..self.runners.records.len())
            .filter(|it| is_idle(&self.runners.records[*it]))
            .collect();
        for job in waiting {
            let it = &self.runners.jobs[job];
            let fits =
                |record: &usize| self.runners.records[*record].fits(&it.repository, &it.labels);
            if let Some(place) = idle.iter().position(fits) {
                let record = idle.remove(place);
                self.begin(job, record);
            }
        }
    }

    fn begin(&mut self, job: usize, record: usize) {
        let runner = &mut self.runners.records[record];
        let state = State {
            is_online: true,
            is_busy: true,
            has_connected: true,
        };
        runner.turn(self.now, Some(state));
        let it = &mut self.runners.jobs[job];
        it.taken = Some(Taken {
            at: self.now,
            record,
            runner: runner.id,
            runner_name: runner.name.clone(),
        });
        let (id, run) = (it.id, it.run);
        self.runners
            .note(self.now, Some(record), RunnerDeed::Began { job: id });
        self.runners.tell(self.runs, run, self.now);
    }
}

impl Cloud {
    /// When the runner on a machine connects; none: never.
    fn runner_connects(&self, instance: &Instance) -> Option<Timestamp> {
        let span = self.scenario().times.runner_online;
        let takes = self.lasting(span, &format!("runner/{}", instance.instance_id));
        instance.guest_since().map(|it| it.plus(takes))
    }
}

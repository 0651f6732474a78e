#!/usr/bin/env python3
"""Plants faults in the broker, one at a time, and tells which rung of the tests catches each.

    scripts/mutants.py --check           every fault still has its place in the source
    scripts/mutants.py [--only NAME,..]  runs them, and writes the table into scripts/mutants.md

Each fault is built into a copy of the last commit, with a build directory of its own beside the cache of the tests. The tests
that caught it in an earlier run are tried first (or, where there was none, those with --first TEXT,… in their names), then the
rungs from the lowest on: unit tests and properties, the stories of the simulation, its random runs. A fault that nothing catches is a test that is missing. With --only, the table keeps the rows
of the others; each row names its commit. All tests are run without a fault first, unless --trust says that they have passed.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "scripts" / "mutants.md"
# A test of a planted fault may wait for what never comes.
DEADLINE_S = 600
# Random runs for each fault that the tests of Rust do not catch.
SWARM_S = 120

UNCAUGHT = ("nothing", "does not build")
NOT_RUN = "not run yet"

# Name, file, what stands there, what is put in its place.
FAULTS = [
    # ---- What is durable, and when somebody is told
    ("a flush does not sync the segments", "src/storage/flush.rs",
     "            file.sync_data().map_err(Error::io(\"sync a file in\", &self.directory))?;\n",
     "            let _ = file;\n"),
    ("a flush does not sync the names", "src/storage/flush.rs",
     "            directories.iter().try_for_each(|path| disk.sync_directory(path))\n",
     "            let _ = directories;\n            Ok(())\n"),
    ("the recovery point moves before the sync", "src/storage/flush.rs",
     "        let up_to = self.log_end_offset();\n        assert!(up_to <= writer.next_offset",
     "        let up_to = self.log_end_offset();\n"
     "        self.recovery_point.fetch_max(up_to.0, Ordering::AcqRel);\n        assert!(up_to <= writer.next_offset"),
    ("a failed sync is taken for a good one", "src/replica/partition.rs",
     "            Err(failure) => {\n                self.log.fail_sync(&failure);\n                None\n            }\n",
     "            Err(_) => {\n                self.log.flushed(flush, now);\n"
     "                self.advance(flush.up_to);\n                None\n            }\n"),
    ("acknowledged before the sync that the topic asks for", "src/replica/partition.rs",
     "            if self.log.wants_sync(now) {\n                return self.begin_sync();\n            }\n",
     "            if self.log.wants_sync(now) {\n"
     "                self.advance(end);\n"
     "                return self.begin_sync();\n            }\n"),
    ("what was written before a refusal is not committed", "src/replica/partition.rs",
     "        let written = self.log.write_and_keep(is_wanted).ok().flatten();\n",
     "        let written = self.log.write_and_keep(is_wanted).ok().flatten();\n"
     "        if written.is_none() {\n            return None;\n        }\n"),
    ("a failed directory makes a committed copy begin anew", "src/hosting/place.rs",
     "        if self.awaits_its_copy(&topic.name, described) {\n            return None;\n        }\n", ""),
    ("acknowledged before the write", "src/replica/partition.rs",
     "        let is_reached = self.high_watermark() >= mark.end;\n",
     "        let is_reached = self.high_watermark() >= mark.end || mark.end.0 > 0;\n"),
    ("what a start has found is not synced", "src/hosting/slots.rs",
     "    if log.wants_sync(now) {\n        let flush = log.flush()?;",
     "    if false && log.wants_sync(now) {\n        let flush = log.flush()?;"),
    ("compaction goes by what is not durable", "src/hosting/cleaning.rs",
     "        if !is_durable {\n            let is_flushed",
     "        if false && !is_durable {\n            let is_flushed"),
    ("metadata is answered for before it is synced", "src/controller/authority.rs",
     "        self.log.sync(self.environment.wall())?;\n        Ok(std::mem::take", "        Ok(std::mem::take"),
    ("metadata whose sync has failed is shown", "src/controller/authority.rs",
     "        self.log.sync(self.environment.wall())?;\n        Ok(std::mem::take",
     "        let _ = self.log.sync(self.environment.wall());\n        Ok(std::mem::take"),
    ("a change of a topic is not told", "src/controller/publisher.rs",
     "        self.changed.extend(hosted.flat_map(|hosted| hosted.iter().flatten()).map(|partition| partition.number));\n",
     "        let _ = hosted;\n"),
    # ---- The log
    ("a partly written batch stays on a full disk", "src/storage/log.rs",
     "        file.set_size(active.size_bytes).map_err(Error::io(\"cut\", &path))?;\n", "        let _ = &file;\n"),
    ("what a full disk took back is still known of its producer", "src/storage/writer.rs",
     "            self.producers.put_back(producer_id, known);\n",
     "            let _ = (producer_id, known);\n"),
    ("recovery believes checksums", "src/storage/open/recover.rs",
     "        while let Some(placed) = batches.next_checked().map_err(Error::io(\"read\", &path))? {\n            let last",
     "        while let Some(placed) = batches.next_header().map_err(Error::io(\"read\", &path))? {\n            let last"),
    ("recovery cuts a byte too few", "src/storage/open/recover.rs",
     "        log.set_size(sound_bytes).map_err(Error::io(\"cut\", &path))?;\n",
     "        log.set_size(size_bytes.min(sound_bytes + 1)).map_err(Error::io(\"cut\", &path))?;\n"),
    ("recovery goes on behind a torn segment", "src/storage/open/recover.rs",
     "        Ok((end_offset, sound_bytes < size_bytes))\n", "        Ok((end_offset, false))\n"),
    ("a segment with the recovery point in it is trusted", "src/storage/recovery.rs",
     "            (false, _, false) => Plan::Recover,\n",
     "            (false, _, false) if is_plausible => Plan::Trust,\n            (false, _, false) => Plan::Recover,\n"),
    ("an incomplete swap is finished", "src/storage/recovery.rs",
     "first_cleaned.is_none_or(|cleaned| offset < cleaned)", "first_cleaned.is_none_or(|_| offset.0 >= 0)"),
    ("the index of aborted transactions is written anew in its place", "src/storage/transactions.rs",
     "    write_file(disk, &temporary, &encode(aborted))?.sync_data()?;\n    disk.rename(&temporary, &path)?;\n",
     "    let _ = temporary;\n    write_file(disk, &path, &encode(aborted))?;\n"),
    ("a recovery that did not come to its end is not begun anew", "src/storage/open/recover.rs",
     "        ignore_missing(self.disk.remove_file(&times)).map_err(Error::io(\"remove\", &times))?;\n",
     "        let _ = (times, ignore_missing);\n"),
    ("a damaged snapshot of producers is believed", "src/storage/snapshot.rs",
     "    if version != VERSION || crc32c::crc32c(rest) != checksum {\n",
     "    let _ = checksum;\n    if version != VERSION {\n"),
    ("a read begins one batch late", "src/storage/segment.rs",
     "        if placed.header.last_offset() >= offset {\n", "        if placed.header.last_offset() > offset {\n"),
    ("a reader does not notice that a name has passed to another file", "src/storage/read.rs",
     "            if self.view.load().has_all_of(&view) {\n", "            if self.view.load().has_all_of(&view) || true {\n"),
    ("the search by time forgets the start of the log", "src/storage/search.rs",
     "            let wanted = |time: i64, offset: i64| time >= timestamp.0 && offset >= start.0;\n",
     "            let wanted = |time: i64, offset: i64| time >= timestamp.0 && offset >= 0;\n"),
    ("retention by size deletes one segment too many", "src/storage/retention.rs",
     "            while self.may_go(old) && excess_bytes >= self.size_bytes(old) {\n",
     "            while self.may_go(old) && excess_bytes > 0 {\n"),
    ("retention deletes what is not committed", "src/storage/retention.rs",
     "            && self.view.segment_end_offset(at) <= self.high_watermark\n", ""),
    ("the epochs are not cut with the log", "src/storage/epochs.rs",
     "        Epochs::rising(self.0.iter().filter(|e| e.start_offset < end_offset).copied().collect())\n",
     "        let _ = end_offset;\n        self.clone()\n"),
    ("compaction keeps the first record of a key", "src/storage/cleaner/copy.rs",
     "self.map.get(key).is_none_or(|latest| offset >= latest);", "self.map.get(key).is_none_or(|latest| offset <= latest);"),
    ("compaction forgets tombstones at once", "src/storage/cleaner/copy.rs",
     "record.value.is_none() && batch.delete_horizon().is_some_and(|horizon| self.now >= horizon);",
     "record.value.is_none();\n        let _ = (batch, self.now);"),
    ("a swap is not made durable", "src/storage/cleaner/swap.rs",
     "        self.sync_swap()?;\n        self.name_copy(&copy)?;\n        self.sync_swap()?;\n",
     "        self.name_copy(&copy)?;\n"),
    ("a torn copy of a log goes on", "src/hosting/moving.rs",
     "directory.was_clean_shutdown() && log.log_end_offset()", "log.log_end_offset()"),
    # ---- Producers
    ("no duplicate is recognised", "src/storage/producers/check.rs",
     "                if let Some(known) = producer.and_then(|producer| producer.repeated(batch)) {\n",
     "                if let Some(known) = producer.and_then(|producer| producer.repeated(batch)).filter(|_| false) {\n"),
    ("a gap in the sequence is let in", "src/storage/producers/check.rs",
     "        if i64::from(first) == i64::from(last) + 1 ||", "        if i64::from(first) > i64::from(last) ||"),
    ("an old epoch is not fenced", "src/storage/producers/check.rs",
     "            Some(producer) if batch.producer_epoch < producer.epoch => {\n",
     "            Some(producer) if batch.producer_epoch < producer.epoch && batch.producer_epoch < 0 => {\n"),
    # ---- Requests
    ("a stop goes on with what comes", "src/server/receiving.rs",
     "            Some(_) => self.discard(key, &mut hot),\n", "            Some(_) => self.advance_with(key, &mut hot),\n"),
    ("a fetch passes the high watermark", "src/replica/partition.rs",
     "        let up_to = self.readable_end(isolation).min(end);\n",
     "        let up_to = self.readable_end(isolation).max(self.log.log_end_offset());\n"),
    ("no shard is woken by progress", "src/shard/context.rs",
     "            self.mailbox(shard).tell_progress(partition.number);\n", "            let _ = (shard, partition.number);\n"),
    ("a shard goes to sleep with mail in its box", "src/shard/mailbox.rs",
     "        let may = self.lock().mail.is_empty();\n", "        let may = self.lock().mail.is_empty() || true;\n"),
    ("the request of a closed connection stays parked", "src/server/mod.rs",
     "connection.parked.and_then(|parked| self.wait_list.take(parked))", "connection.parked.and_then(|_| None::<Waiting>)"),
    ("a fetch with something to tell waits to its end", "src/handlers/01_fetch.rs",
     "gathered.size_bytes >= u64::from(self.min_bytes)\n", "gathered.size_bytes > u64::from(self.min_bytes).max(1 << 40)\n"),
    ("a produce that waits for its deadline succeeds", "src/handlers/00_produce.rs",
     "                Ok(false) if expired => partition.result = Err(ErrorCode::RequestTimedOut.into()),\n",
     "                Ok(false) if expired => {}\n"),
    ("a frame may be larger than the limit", "src/wire/frame.rs",
     "        Ok(length) if length <= max_size_bytes => match", "        Ok(length) if length <= max_size_bytes.max(1 << 31) => match"),
    # ---- Fast paths
    ("a session does not note what progress concerns", "src/handlers/fetch_session.rs",
     "                session.active.insert(*at);\n", "                let _ = at;\n"),
    ("who goes on waiting does not ask to be told", "src/handlers/mod.rs",
     "            Polled::Wait => self.poll_once(state, context, expired, true),\n",
     "            Polled::Wait => self.poll_once(state, context, expired, false),\n"),
    ("what a closed connection held stays counted", "src/server/mod.rs",
     "            self.turn.shared.memory.change(connection.counted_bytes, 0);\n", "            let _ = connection.counted_bytes;\n"),
    ("a closed connection keeps the turn for large frames", "src/server/admission.rs",
     "            if last_active.is_some_and(|last_active|", "            if last_active.is_none_or(|last_active|"),
    ("a frame that has come keeps the turn for large frames", "src/server/receiving.rs",
     "                self.admission.finish(key);\n                self.handle_kept(key)?;\n",
     "                self.handle_kept(key)?;\n"),
    ("a large frame takes what comes behind it", "src/server/inbound.rs",
     "        let step = (self.kept.capacity() - self.kept.len()).min(lacks).min(most);\n",
     "        let step = (self.kept.capacity() - self.kept.len()).max(lacks + 1).min(most);\n"),
    ("that a segment was sealed is not told behind a large batch", "src/storage/append.rs",
     "        if writer.pending.is_empty() && !writer.rolled {", "        if writer.pending.is_empty() {"),
    ("a large batch is copied and written as well", "src/storage/append.rs",
     "writer.pending.place(copied, base_offset, epoch);", "writer.pending.place(bytes, base_offset, epoch);"),
    ("looks in vain go on", "src/io/spin.rs",
     "        self.sleeps = (self.sleeps * 2).clamp(1, MOST_SLEEPS);\n        self.left = self.sleeps;\n",
     "        self.left = self.sleeps;\n"),
    ("an edge does not end what a short receive has found", "src/io/sockets.rs",
     "            connected.reading = Reading::Perhaps;\n", "            let _ = connected;\n"),
    ("one connection is sent all it has in one turn", "src/server/sending.rs",
     "                    left = left.saturating_sub(length);\n", ""),
    ("what a turn has left of an answer waits for the client", "src/server/sending.rs",
     "        if goes_on {\n            self.touch(key);\n        }\n", "        let _ = goes_on;\n"),
    ("a shard that sends much does not give way", "src/server/mod.rs", "            self.driver.yield_now();\n", ""),
    ("a shard gives way after every turn", "src/server/mod.rs", "        if !self.touched.is_empty() || !is_noted {\n", "        if true {\n"),
    # ---- Groups
    ("a coordinator answers before its records are committed", "src/coordinator_runtime/mod.rs",
     "        let passed = self.partition().is_committed(self.end);\n",
     "        let passed = self.partition().is_committed(self.end).map(|_| true);\n"),
    ("a partition is given away before it is let go", "src/coordinator/consumer/reconcile.rs",
     "                if (self.is_owned)(topic, *partition) && !was_own {\n",
     "                if (self.is_owned)(topic, *partition) && !was_own && topic.is_zero() {\n"),
    ("a member that does not say is taken to own nothing", "src/coordinator/consumer/reconcile.rs",
     "        let Some(reported) = self.reported else { return true };\n",
     "        let Some(reported) = self.reported else { return false };\n"),
    ("a heartbeat does not renew the session", "src/coordinator/classic/heartbeat.rs",
     "        live.touch(request.member_id);\n        match", "        match"),
    ("a heartbeat of an old generation counts", "src/coordinator/classic/heartbeat.rs",
     "        if request.generation_id != live.group.generation {\n", "        if request.generation_id > live.group.generation {\n"),
    ("a commit of an old epoch is taken", "src/coordinator/consumer/offsets.rs",
     "            since.is_some_and(|since| epoch >= since)\n", "            since.is_some_and(|_| epoch >= 0)\n"),
    ("a deleted offset comes back with the next coordinator", "src/coordinator/offsets/mod.rs",
     "            remove(&mut self.offsets.by_group, key);\n", ""),
    ("offsets in use expire", "src/coordinator/offsets/expire.rs",
     "match !subscribed && !is_pending && is_expired(committed) {", "match (!subscribed || true) && !is_pending && is_expired(committed) {"),
    ("sessions are not begun when a coordinator has loaded", "src/coordinator_runtime/mod.rs",
     "        self.step_locked(state, world, moment, None, |machine, step| machine.handle_loaded(step))\n",
     "        self.step_locked(state, world, moment, None, |_, _| ())\n"),
    # ---- Transactions
    ("the end of a transaction is answered before it is decided", "src/handlers/26_end_txn.rs",
     "            Ok((producer, barrier)) => (Ok(producer), Some(barrier)),\n",
     "            Ok((producer, barrier)) => (Ok(producer), Some(barrier).filter(|_| false)),\n"),
    ("markers are written before the end is decided", "src/handlers/markers.rs",
     "                    Ok(is_passed) => self.is_decided = is_passed,\n",
     "                    Ok(_) => self.is_decided = true,\n"),
    ("a marker that could not be written is forgotten", "src/handlers/markers.rs",
     "        self.left.push(partition);\n    }\n\n    fn complete(", "        let _ = partition;\n    }\n\n    fn complete("),
    ("a marker whose write has failed counts", "src/handlers/markers.rs",
     "                    self.fail(failed, error, now);\n", "                    let _ = (failed, error, now);\n"),
    ("a transaction is complete before its markers are committed", "src/handlers/markers.rs",
     "                if self.left.is_empty() && self.written.is_empty() {\n",
     "                if self.left.is_empty() {\n"),
    ("a marker is not waited for any more when its partition has told of something else", "src/handlers/markers.rs",
     "        if asks {\n            // A partition that has told", "        if asks && expired {\n            // A partition that has told"),
    ("the result of a transaction is not written", "src/handlers/markers.rs",
     "machine.complete(step, id, producer, commit));\n",
     "machine.complete(step, if false { id } else { \"\" }, producer, commit));\n"),
    ("markers are not sent again after a load", "src/coordinator/transactions/mod.rs",
     "            .extend(prepared.map(|(id, transaction)| TransactionCommand::Markers(transaction.markers(id))));\n",
     "            .extend(prepared.map(|(id, transaction)| TransactionCommand::Markers(transaction.markers(id))).take(0));\n"),
    ("what a keeper's step commands is not begun", "src/coordinator_runtime/keeper.rs",
     "            self.reports.command(coordinator, command, stepped.barrier.clone());\n",
     "            let _ = (command, coordinator);\n"),
    ("a coordinator that has ended has a successor only when a client asks", "src/coordinator_runtime/mod.rs",
     "            self.keeper.send(keeper::Task::Ended);\n", ""),
    ("a deleted partition holds its transactions up", "src/coordinator_runtime/transactions.rs",
     "                ErrorCode::UnknownTopicOrPartition if !is_known(view, partition) => Marked::Gone,\n",
     "                ErrorCode::UnknownTopicOrPartition if !is_known(view, partition) && partition.1 < 0 => Marked::Gone,\n"),
    ("a group does not hear of a marker", "src/coordinator_runtime/mod.rs",
     "        machine.end_transaction(producer, marker.commit);\n", "        let _ = &machine;\n"),
    ("aborted offsets count", "src/coordinator/offsets/pending.rs",
     "        if !commit {\n            return;\n", "        if !commit && producer_id < 0 {\n            return;\n"),
    ("pending offsets are told as stable", "src/coordinator/offsets/fetch.rs",
     "            request.require_stable && self.offsets.pending.contains(request.group_id, topic, partition)\n",
     "            request.require_stable && self.offsets.pending.contains(request.group_id, topic, partition + 1000)\n"),
    ("a write in a transaction needs no admission", "src/storage/producers/check.rs",
     "epoch)? || admission != Admission::None {\n", "epoch)? || admission != Admission::None || epoch >= 0 {\n"),
    ("a fenced producer writes on in its transaction", "src/storage/producers/check.rs",
     "        if epoch < producer.epoch {\n            let known", "        if epoch < producer.epoch && epoch < 0 {\n            let known"),
    ("a zombie coordinator's marker counts", "src/storage/producers/check.rs",
     "        if coordinator_epoch < producer.coordinator_epoch {\n", "        if coordinator_epoch < 0 {\n"),
    ("a late marker ends the transaction behind it", "src/storage/producers/check.rs",
     "        if has_open && transaction_version >= RAISES_EPOCH_SINCE &&", "        if has_open && transaction_version > 9 &&"),
    ("partitions are written to before they are added for good", "src/handlers/transactional.rs",
     "        Ok(if is_passed { None } else { Some(first) })\n",
     "        Ok(if is_passed || !is_passed { None } else { Some(first) })\n"),
    ("no coordinator is asked whether a partition was added", "src/handlers/transactional_produce.rs",
     "        let is_verified = self.form == Form::Adds || settings().transactions.verifies_partitions;\n",
     "        let is_verified = self.form == Form::Adds && settings().transactions.verifies_partitions;\n"),
    ("the last stable offset does not wait for the marker's commit", "src/storage/view.rs",
     "        let first = uncommitted.chain(self.first_unstable_offset).min();\n",
     "        let first = uncommitted.filter(|_| false).chain(self.first_unstable_offset).min();\n"),
    ("readers are not told what was aborted", "src/handlers/01_fetch.rs",
     "            aborted_transactions: (is_committed || found.is_no_partition()).then(|| found.aborted()),\n",
     "            aborted_transactions: (is_committed || found.is_no_partition()).then(Vec::new),\n"),
    ("a repeated end ends the next transaction", "src/coordinator/transactions/end.rs",
     "            _ => is_current,\n        };", "            _ => is_current || is_before,\n        };"),
    ("a twin does not fence the producer before it", "src/coordinator/transactions/end.rs",
     "            let epoch = known.epoch.saturating_add(1);\n", "            let epoch = known.epoch;\n"),
    ("a transaction is open for ever", "src/coordinator/transactions/expire.rs",
     "            lacks_ids |= self.fence(step, &id).is_err();\n", "            let _ = id;\n"),
    ("an id expires under its transaction", "src/coordinator/transactions/expire.rs",
     "transaction.state.is_over() && transaction.update_ms <= before;", "transaction.update_ms <= before;"),
    ("used up epochs are given on", "src/coordinator/transactions/state.rs",
     "    epoch >= EXHAUSTED_SINCE\n", "    epoch > EXHAUSTED_SINCE\n"),
    ("one transaction of a producer is taken for the next", "src/coordinator/transactions/mod.rs",
     "                self.begun += 1;\n                next.serial = self.begun;\n", "                self.begun = 1;\n                next.serial = 1;\n"),
    # ---- Who may do what
    ("a rule that allows comes before one that denies", "src/security/acl.rs",
     "                    if !allows {\n                        return Some(found);\n",
     "                    if allows {\n                        return Some(found);\n"),
    ("a prefix matches without its last byte", "src/stdx/prefix_map.rs",
     "        Some((branch, rest.strip_prefix(&*branch.edge)?))\n",
     "        let most = &branch.edge[..branch.edge.len() - 1];\n"
     "        Some((branch, rest.strip_prefix(&*branch.edge).or_else(|| rest.strip_prefix(most))?))\n"),
    ("the wildcard matches only itself", "src/security/acl.rs",
     ".filter(|_| !is_beyond_wildcard(name));", ".filter(|_| name == WILDCARD);"),
    ("the wildcard matches every name", "src/security/acl.rs",
     ".filter(|_| !is_beyond_wildcard(name));", ";"),
    ("who may not read may not describe", "src/security/acl/grants.rs",
     "        Decisive { denying: bits(&[operation]), allowing }\n",
     "        let denying = if matches!(operation, Describe) { allowing } else { bits(&[operation]) };\n"
     "        Decisive { denying, allowing }\n"),
    ("rules that deny an operation deny what it implies", "src/security/acl/grants.rs",
     "        Decisive { denying: bits(&[operation]), allowing }\n", "        Decisive { denying: allowing, allowing }\n"),
    ("a type of principals has a wildcard of its own", "src/security/acl.rs",
     "        let principals = [who.principal.text(), EVERY_USER].into_iter();\n",
     "        let principals = [who.principal.text(), EVERY_USER, \"Role:*\"].into_iter();\n"),
    ("a host is compared as an address", "src/security/acl/host.rs",
     "        (address.to_string() == text).then_some(address)\n", "        Some(address)\n"),
    ("rules for others leave a resource to everyone", "src/security/authorizer.rs",
     "            None if self.allows_everyone && !index.names(action.resource, action.name) =>",
     "            None if self.allows_everyone =>"),
    ("what was allowed stays so when the rules change", "src/security/acl.rs",
     "        self.epoch += 1;\n", ""),
    ("a range of hosts has one bit more", "src/security/acl/host.rs",
     "differ.checked_shr(32 - self.prefix)", "differ.checked_shr(33 - self.prefix)"),
    ("a deleted rule is still decided by", "src/metadata/apply.rs",
     "        self.acl_index.remove(&acl);\n", ""),
    ("who may describe ACLs may create them", "src/handlers/30_create_acls.rs",
     "AclOperation::Alter", "AclOperation::Describe"),
    ("who may describe ACLs may delete them", "src/handlers/31_delete_acls.rs",
     "AclOperation::Alter", "AclOperation::Describe"),
    ("a refused login does not say whose it was to be", "src/security/sasl/plain.rs",
     "        [_, user, _] if !user.is_empty() => Some(user),\n", ""),
    ("denials are told without a limit", "src/shard/audit.rs",
     "        let is_told = lines.take(1, LIMIT, now);\n", "        let is_told = lines.take(1, LIMIT, now) || true;\n"),
    ("a broker that is down goes on to listen", "src/server/limits.rs",
     "            if is_down != self.entrance.refusing.contains(&listener) {\n", "            if false && is_down {\n"),
    ("each of several brokers takes what another leads", "src/replica/view.rs",
     "        self.seen_by.is_none_or(|broker| broker == described.leader)\n", "        let _ = described;\n        true\n"),
    ("a leader moves to a broker that is down", "src/metadata/played.rs",
     "    if !broker(image, to)?.is_active() {\n", "    if broker(image, to)?.id < 0 {\n"),
    ("a replica of a broker that is down stays in sync", "src/metadata/played.rs",
     "        change.isr.retain(|replica| *replica != broker.id);\n", ""),
    ("a broker that comes back is not in sync", "src/metadata/played.rs",
     "        isr: Some(in_sync_with(partition, broker.id)),\n", "        isr: None,\n"),
    ("a full disk in memory takes more", "src/io/memory_disk/trouble.rs",
     "        match self.is_full() {\n", "        match false && self.is_full() {\n"),
    ("who leads instead is told by the epoch before", "src/handlers/current_leaders.rs",
     "(found.leader, found.leader_epoch)", "(found.leader, found.leader_epoch - 1)"),
    # ---- Quotas and limits of connections
    ("who was left alone stays so", "src/server/throttle.rs",
     "                connection.muted_until = None;\n                self.enqueue(key);\n",
     "                let _ = connection;\n"),
    ("who is left alone goes on with what comes next", "src/server/mod.rs",
     "                    connection.readable = true;\n",
     "                    connection.readable = true;\n                    connection.muted_until = None;\n"),
    ("a throttled fetch is told of in its session", "src/handlers/01_fetch.rs",
     "            let session_id = state.sessions.give_up(self.answering);\n",
     "            let all = self.partitions.iter().zip(&gathered.found);\n"
     "            all.for_each(|((name, _), found)| {\n"
     "                self.tell(state, name, found);\n"
     "            });\n"
     "            let session_id = state.sessions.give_up(self.answering);\n"),
    ("what a throttled fetch did not send stays charged", "src/handlers/01_fetch.rs",
     "            metered.charge(-(size_bytes as f64), now);\n", ""),
    ("what the metadata thread has refused stays charged", "src/handlers/mutations.rs",
     "            metered.charge(-(partitions as f64), now);\n", "            let _ = (metered, now);\n"),
    ("what a request names twice is left to the controller", "src/metadata/topics.rs",
     "    if !twice.is_empty() {\n        let mut names", "    if twice.len() > names.len() {\n        let mut names"),
    ("a fetch session is good for every client that has its id", "src/handlers/fetch_session.rs",
     "        (self.rules_epoch, self.is_own, self.host) == (rules_epoch, is_own, subject.host)\n"
     "            && self.principal == *subject.principal\n",
     "        let _ = (is_own, subject.host, &self.principal, self.host, self.is_own);\n"
     "        self.rules_epoch == rules_epoch\n"),
    ("a fetch that waits reads what is added to its session", "src/handlers/fetch_session.rs",
     ".filter(|session| session.epoch == epoch);", ".filter(|session| session.epoch >= epoch);"),
    ("the place of a refused handover is not given back", "src/server/mod.rs",
     "            None => self.turn.shared.balance.remove(self.turn.shard),\n",
     "            None => {\n                std::mem::forget(admission);\n"
     "                self.turn.shared.balance.remove(self.turn.shard);\n            }\n"),
    ("a connection that was put off counts as a new one", "src/shard/limits.rs",
     "        rate.record(windows, -1.0, now_ms);\n", ""),
    ("a waiting connection is never looked at again", "src/server/limits.rs",
     "                        self.entrance.look_again = Some(again);\n", "                        let _ = again;\n"),
    ("the clients of a user have a budget each", "src/security/quota/table.rs",
     "        } else if has(named_user(), Part::Absent) {\n            tags(user, \"\")\n",
     "        } else if has(named_user(), Part::Absent) {\n            tags(user, client)\n"),
    ("who may not alter configs may alter quotas", "src/handlers/49_alter_client_quotas.rs",
     "        return waiting.refuse(&refusal).map_or_else(Outcome::Close, Outcome::Answer);\n",
     "        let _ = refusal;\n"),
    # ---- TLS and logins
    ("what has come is forgotten while a step of the handshake is computed", "src/server/receiving.rs",
     "            connection.readable = connection.transport.is_computing();\n",
     "            connection.readable = false;\n"),
    ("a socket is taken for empty while plaintext waits", "src/server/transport/layer.rs",
     "                Ok(taken) => return Ok(taken),\n",
     "                Ok(taken) if taken < most => return Ok(taken),\n"
     "                Ok(_) => return Err(ErrorKind::WouldBlock.into()),\n"),
    ("ciphertext that has not left is forgotten where no answer waits", "src/server/sending.rs",
     "        if connection.writable && connection.transport.has_unsent() {\n",
     "        if connection.writable && !connection.outbound.is_empty() && connection.transport.has_unsent() {\n"),
    ("a step of a handshake comes back to a later connection of its place", "src/server/connections.rs",
     "        (*found == key).then_some(connection)\n    }\n\n    pub(super) fn remove",
     "        let _ = found;\n        Some(connection)\n    }\n\n    pub(super) fn remove"),
    ("an old certificate is served behind a rotation", "src/hosting/doors.rs",
     "        self.server.store(Arc::new(server));\n", ""),
    ("a session is taken up again behind a change of the trust store", "src/security/tls/server.rs",
     "        config.ticketer = ring::Ticketer::new().map_err(|error| error.to_string())?;\n",
     "        static ONE: std::sync::OnceLock<Arc<dyn rustls::server::ProducesTickets>> = std::sync::OnceLock::new();\n"
     "        config.ticketer = ONE.get_or_init(|| ring::Ticketer::new().expect(\"keys\")).clone();\n"),
    ("a rule of principals replaces what fits as a whole", "src/security/principal/mapping.rs",
     "replacement.apply(anywhere, name, Times::All)", "replacement.apply(whole, name, Times::All)"),
    ("a permission outlives the rules under which it was seen", "src/security/allowed.rs",
     "        self.rules_epoch == rules_epoch\n", "        rules_epoch >= self.rules_epoch\n"),
    ("what one client was allowed is allowed to all", "src/security/allowed.rs",
     "            && self.principal == *principal\n", ""),
    ("a thread with something to take counts as one at rest", "src/io/settable_clock.rs",
     "sleeper.until.is_some_and(|until| until > now) && sleeper.bell.is_waiting()",
     "sleeper.until.is_some_and(|until| until > now)"),
    ("an error behind the effect is one instead of it", "src/server/faults.rs",
     "        if struck.is_after {\n", "        if struck.is_after && !matches!(struck.deed, Deed::Error(_)) {\n"),
    ("a rule's delay is forgotten where it wants something else as well", "src/server/faults.rs",
     "        if struck.delay_ms > 0 {\n            let sequence",
     "        if struck.delay_ms > 0 && struck.deed == Deed::Delay {\n            let sequence"),
    ("what a rule holds of a login is not counted", "src/server/authentication.rs",
     "connection.transport.memory_bytes() + refused + kept", "connection.transport.memory_bytes() + refused"),
    ("a login that a rule refuses goes on", "src/server/login_faults.rs",
     "        if row.key != ApiKey::ApiVersions {", "        if false && row.key != ApiKey::ApiVersions {"),
    ("a follower serves what it does not have", "src/handlers/01_fetch.rs",
     "        if !extent.has(wanted.fetch_offset) {", "        if false && !extent.has(wanted.fetch_offset) {"),
    ("a broker that has no replica serves consumers", "src/replica/view.rs",
     "        if own.is_none() && !described.replicas.contains(&viewer) {", "        if false {"),
    ("a consumer is sent to a replica that is not in sync", "src/handlers/followers.rs",
     "described.isr.iter().copied().filter(is_near)", "described.replicas.iter().copied().filter(is_near)"),
    ("what a rule holds is let go by another", "src/faults.rs",
     "rules.all.iter_mut().filter(|(of, _)| id.is_none_or(|id| id == *of))", "rules.all.iter_mut().filter(|_| id.is_some())"),
    ("a listener with logins asks for certificates by the setting of all", "src/config/security/tls.rs",
     "    if protocol == SecurityProtocol::SaslSsl && !is_own", "    if false && !is_own"),
    ("a password stands in what is shown of a configuration", "src/stdx/secret.rs",
     "        f.write_str(\"[hidden]\")\n", "        f.write_str(&String::from_utf8_lossy(&self.0))\n"),
    ("a session goes on behind its end", "src/server/authentication.rs",
     "return if session.is_expired(now) {", "return if false && session.is_expired(now) {"),
    ("a login again may change the principal", "src/handlers/authentication/tokens.rs",
     "again.filter(|again| again.principal != principal)",
     "again.filter(|again| false && again.principal != principal)"),
    ("a refused login is answered without the delay", "src/server/authentication.rs",
     "        let at = self.turn.now + self.turn.shared.logins.delay;\n", "        let at = self.turn.now;\n"),
    ("a session is begun again at any time", "src/handlers/authentication.rs",
     "logged_in.expires.is_none() || is_too_early {", "logged_in.expires.is_none() {"),
    ("a request is handled before the login", "src/server/receiving.rs",
     "            if !(may_log_in && self.take_login_frame(key, frame)?) {\n"
     "                self.handle_frame(key, row, frame)?;\n",
     "            if !(may_log_in && !frame.starts_with(&[0, 3]) && self.take_login_frame(key, frame)?) {\n"
     "                self.handle_frame(key, table::of_frame(frame), frame)?;\n"),
    ("SCRAM takes another nonce", "src/security/sasl/scram.rs",
     "    if last.nonce != sent.nonce {", "    if false && last.nonce != sent.nonce {"),
    ("passwords are compared as they are", "src/security/crypto.rs",
     "    one.ct_eq(other).into()\n", "    one == other\n"),
    ("a handshake has no end in time", "src/server/authentication.rs",
     "timeout.filter(|_| !connection.is_let_in())", "timeout.filter(|_| !connection.session.authentication.is_open())"),
    ("a handshake may bring any number of bytes", "src/server/transport/layer.rs",
     "                false => HANDSHAKE_BYTES - self.handshake_bytes,\n", "                false => HANDSHAKE_BYTES,\n"),
    ("what a handshake holds is not counted", "src/server/authentication.rs",
     "                frames + connection.transport.memory_bytes() + refused + kept\n", "                frames + refused + kept\n"),
    ("a refused certificate is not named", "src/security/tls/verifier.rs",
     "            REFUSED.set(Some(end_entity.to_vec()));\n", "            let _ = end_entity;\n"),
    ("a change of stores is not looked into", "src/controller/authority.rs",
     "            stores: self.stores.as_deref().map(|stores| stores as &dyn LooksIntoStores),\n",
     "            stores: None,\n"),
    ("a key's password is hashed as often as it asks for", "src/security/store/pem.rs",
     "hash.iteration_count <= MOST_ITERATIONS", "hash.iteration_count > 0"),
    # ---- Delegation tokens
    ("a renewal is told and not kept", "src/metadata/tokens.rs",
     "        let token = DelegationToken { expiration_timestamp, ..self.clone() };\n",
     "        let _ = expiration_timestamp;\n        let token = self.clone();\n"),
    ("the sweep removes a token whose last moment it is", "src/metadata/tokens.rs",
     "        self.max_timestamp < now.0 || self.expiration_timestamp < now.0\n",
     "        self.max_timestamp <= now.0 || self.expiration_timestamp <= now.0\n"),
    ("a token is renewed beyond its longest life", "src/metadata/tokens.rs",
     "    let end = token.max_timestamp.min(inputs.now.0.saturating_add(period_ms));\n",
     "    let end = inputs.now.0.saturating_add(period_ms);\n"),
    ("the beginning of an HMAC names a token", "src/metadata/tokens.rs",
     "token.hmac.get(|| delegation::hmac(&settings.secret_key, &token.token_id)) == hmac\n",
     "token.hmac.get(|| delegation::hmac(&settings.secret_key, &token.token_id)).expose().starts_with(hmac.expose())\n"),
    ("who has asked for a token for another may end it", "src/metadata/tokens.rs",
     "        self.owner == principal.text() ||", "        self.owner == principal.text() || self.requester == principal.text() ||"),
    ("a session by a token may make tokens", "src/handlers/delegation_tokens.rs",
     "    by_protocol && !session.by_delegation_token\n", "    by_protocol\n"),
    ("who may describe one token may describe all", "src/handlers/41_describe_delegation_token.rs",
     "AclResource::DelegationToken, &token.token_id)", "AclResource::DelegationToken, \"id\")\n        || request.may_any(context, AclOperation::Describe, AclResource::DelegationToken)"),
    ("a session outlives the token that it began with", "src/handlers/authentication/tokens.rs",
     "most.into_iter().chain(left).min();", "most.into_iter().chain(left.filter(|_| !by_delegation_token)).min();"),
    ("a frame is handled while a credential is computed", "src/server/connection.rs",
     " && !self.session.authentication.is_computing()", ""),
    ("a login by a token is one as its id", "src/handlers/authentication/tokens.rs",
     "Some(NamedToken { token: (owner.into(), expires),", "Some(NamedToken { token: (id.into(), expires),"),
    # ---- Tokens that are signed
    ("a token that has the provider's key for its secret is taken", "src/security/sasl/jwks.rs",
     "            (Material::Rsa { modulus, exponent }, Kind::Rsa(parameters)) => {\n"
     "                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, signed, signature).is_ok()\n"
     "            }\n            _ => false,\n        }\n    }\n}\n\nimpl Algorithm {\n"
     "    /// `None`: tokens that are signed so are not taken, whatever key there is.\n"
     "    pub(super) fn named(name: &str) -> Option<Algorithm> {\n        let (name, kind) = match name {\n",
     "            (Material::Rsa { modulus, .. }, _) if algorithm.name == \"HS256\" => {\n"
     "                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, modulus);\n"
     "                ring::hmac::verify(&key, signed, signature).is_ok()\n            }\n"
     "            (Material::Rsa { modulus, exponent }, Kind::Rsa(parameters)) => {\n"
     "                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, signed, signature).is_ok()\n"
     "            }\n            _ => false,\n        }\n    }\n}\n\nimpl Algorithm {\n"
     "    /// `None`: tokens that are signed so are not taken, whatever key there is.\n"
     "    pub(super) fn named(name: &str) -> Option<Algorithm> {\n        let (name, kind) = match name {\n"
     "            \"HS256\" => (\"HS256\", Kind::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256)),\n"),
    ("the audiences of a token that has several are not looked at", "src/security/sasl/jwt.rs",
     "            Some(Value::Array(several)) => {\n"
     "                several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(NO_AUDIENCES)?\n            }\n",
     "            Some(Value::Array(_)) => return Ok(()),\n"),
    ("a token is good for ever", "src/security/sasl/jwt.rs",
     "        if now.saturating_sub(skew) >= expires {\n", "        if false {\n"),
    ("a key that has gone stays good", "src/hosting/token_keys.rs",
     "                self.keys.publish(keys);\n", "                if !keys.is_empty() {\n                    self.keys.publish(keys);\n                }\n"),
    # ---- What readings of the whole have found
    ("offsets of a topic of the same name are forgotten", "src/coordinator/offsets/delete.rs",
     "committed.is_zero() || committed == *id", "committed.is_zero() || !id.is_zero()"),
    ("a full group has no place for a static member that comes back", "src/coordinator/consumer/heartbeat.rs",
     "        validate_size(self.members.len(), has_place || self.members.contains_key(member_id), max)\n",
     "        let _ = has_place;\n        validate_size(self.members.len(), self.members.contains_key(member_id), max)\n"),
    ("a log that cannot be read is read again at once", "src/coordinator_runtime/mod.rs",
     "(now < until && !self.is_outdated()).then_some(until)", "(now < until && self.is_outdated()).then_some(until)"),
    ("compaction hides what a producer does behind an abort", "src/storage/cleaner/mod.rs",
     "collect(&view.segments[first..], from, to)", "collect(&view.segments[first..], view.log_start_offset, to)"),
    ("on a full disk the active segment holds up retention", "src/storage/retention.rs",
     "if !error.is_full() || old == 1 {", "if !error.is_full() || old >= 1 {"),
    ("a sweep is one batch, however large", "src/coordinator_runtime/append.rs",
     "if how.is_divisible { largest_batch(partition) }", "if false && how.is_divisible { largest_batch(partition) }"),
    ("new names of one request may collide", "src/metadata/topics.rs",
     "            names.add(&topic.name);\n", ""),
    ("an answer may be larger than its limit", "src/wire/frame.rs",
     "    if size > max_size_bytes {\n", "    if false && size > max_size_bytes {\n"),
    ("elements are made for which an answer has no room", "src/handlers/room.rs",
     "elements.map(|element| room.take(element)).collect()", "Ok(elements.inspect(|_| drop(room.take_bytes(0))).collect())"),
]


def places():
    """How often each fault's place is in the source; it must be once."""
    wrong = []
    for name, path, before, _ in FAULTS:
        count = (ROOT / path).read_text().count(before)
        if count != 1:
            wrong.append(f"{name}: {count} places in {path}")
    return wrong


def run(command, cwd, env, deadline_s=DEADLINE_S):
    """Code and output; `None` is the code of what did not end."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=deadline_s)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        return None, output


def failed_tests(output):
    return sorted(set(re.findall(r"^test (\S+) \.\.\. FAILED$", output, re.M)))


def shorten(names):
    shown = ", ".join(f"`{name}`" for name in names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2} more"


def caught_by(copy, env, before=None, first=None):
    """Rung, and what of it. `before` is the row of an earlier run: the tests that caught the fault then are tried first."""
    build = ["cargo", "test", "--locked", "--lib", "--no-run"]
    code, output = run(build, copy, env)
    if code != 0:
        return "does not build", output[-2000:]
    known = re.findall(r"`([\w:]+)`", before[1]) if before else []
    if known:
        code, output = run(["cargo", "test", "--locked", "--lib", "--", "--exact", *known], copy, env)
        if code not in (0, None) and failed_tests(output):
            return before[0], before[1]
    elif first:
        code, output = run(["cargo", "test", "--locked", "--lib", "--", *first.split(","), "--skip", "sim::seeds"], copy, env)
        if code not in (0, None) and (failed := failed_tests(output)):
            lowest = [name for name in failed if not name.startswith("sim::")]
            return ("unit", shorten(lowest)) if lowest else ("simulation, stories", shorten(failed))
    code, output = run(["cargo", "test", "--locked", "--lib", "--", "--skip", "sim::"], copy, env)
    if code != 0:
        return "unit", shorten(failed_tests(output)) or "does not end"
    code, output = run(["cargo", "test", "--locked", "--lib", "--", "sim::", "--skip", "sim::seeds"], copy, env)
    if code != 0:
        return "simulation, stories", shorten(failed_tests(output)) or "does not end"
    code, output = run(["cargo", "build", "--release", "--locked", "--features", "sim", "--example", "sim"], copy, env)
    if code != 0:
        return "does not build", output[-2000:]
    sim = [os.path.join(env["CARGO_TARGET_DIR"], "release/examples/sim"), "--swarm", str(SWARM_S), "--seed", "1"]
    code, output = run(sim, copy, env, SWARM_S + 300)
    found = re.search(r"^seed (\d+) fails: (.*?): ", output, re.M)
    if code != 0:
        return "simulation, seeds", f"seed {found[1]}: {found[2]}" if found else "does not end"
    return "nothing", ""


def plant(copy, path, before, after):
    file = copy / path
    file.write_text(file.read_text().replace(before, after))


def restore(copy):
    """The source as it was, without what tests have noted beside it (proptest's regressions would fail for every fault)."""
    subprocess.run(["git", "reset", "-q", "--hard"], cwd=copy, check=True)
    subprocess.run(["git", "clean", "-q", "-fd"], cwd=copy, check=True)


def commit():
    log = subprocess.run(["git", "log", "-1", "--format=%h"], cwd=ROOT, capture_output=True, text=True, check=True)
    return log.stdout.strip()


def rows_of_table():
    """By fault: rung, what of it, and the commit; of the table as it stands."""
    text = TABLE.read_text() if TABLE.exists() else ""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: tuple(row[2:]) for row in cells[2:] if row[2] != NOT_RUN}


def table(rows):
    """Of all faults, also of those that were never run."""
    shown = [(name, path, *rows.get(name, (NOT_RUN, "", ""))) for name, path, _, _ in FAULTS]
    run = [row for row in shown if row[2] != NOT_RUN]
    caught = sum(row[2] not in UNCAUGHT for row in run)
    lines = [
        "# Planted faults and what catches them", "",
        f"Made by `scripts/mutants.py`: {caught} of the {len(run)} that were run are caught, of {len(shown)} in all. The rungs are",
        "tried from the lowest on (units and properties, stories of the simulation, its random runs); what catches a fault first",
        "is named.", "",
        "| fault | file | caught by | test | at commit |", "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {name} | `{path}` | {rung} | {what} | {at} |" for name, path, rung, what, at in shown]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--trust", action="store_true", help="all tests of the last commit have passed")
    parser.add_argument("--first", help="parts of the names of tests that are tried first for what was never run, with commas between")
    parser.add_argument("--only", help="names of faults, or parts of them, with commas between")
    arguments = parser.parse_args()
    wrong = places()
    if wrong or arguments.check:
        print("\n".join(wrong) or f"{len(FAULTS)} faults have their places")
        return 1 if wrong else 0
    wanted = arguments.only.split(",") if arguments.only else [""]
    chosen = [fault for fault in FAULTS if any(part in fault[0] for part in wanted)]
    cache = os.environ.get("KLAMM_CACHE", os.path.expanduser("~/.cache/klamm"))
    env = {**os.environ, "CARGO_TARGET_DIR": os.path.join(cache, "target-mutants"), "RUST_BACKTRACE": "0"}
    # The compiler's warnings of what a fault leaves unused do not matter.
    env["RUSTFLAGS"] = "--cap-lints warn"
    # So that what chance finds in one run it finds in all of them, and in the code without a fault.
    env["PROPTEST_RNG_SEED"] = "1"
    rows, at, good = rows_of_table(), commit(), True
    with tempfile.TemporaryDirectory(prefix="klamm-mutants-") as home:
        copy = pathlib.Path(home) / "klamm"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
        rung, what = ("nothing", "") if arguments.trust else caught_by(copy, env)
        if rung != "nothing":
            print(f"without any fault: {rung} {what}")
            return 1
        for name, path, before, after in chosen:
            plant(copy, path, before, after)
            rung, what = caught_by(copy, env, rows.get(name), arguments.first)
            restore(copy)
            good = good and rung not in UNCAUGHT
            # What the compiler says has many lines and is no cell of a table.
            rows[name] = (rung, "" if rung == "does not build" else what, at)
            TABLE.write_text(table(rows))
            print(f"{name}: {rung} {what}", flush=True)
    shutil.rmtree(env["CARGO_TARGET_DIR"], ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

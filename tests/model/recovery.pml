/* SPDX-License-Identifier: ISC */
/*
 * Recovery: SIGKILL of blkd between any two stores (DESIGN section 7,
 * shm/state.h).
 *
 * One virtqueue.  The guest writes value r to block r % BLOCKS for each
 * request r, reuses heads as they come back, and may reset the device.  The
 * disk takes heads in batches of every size, executes, publishes.  The
 * killer ends it between any two statements that store something; its
 * successor has the state, the rings and the backing, and nothing else.
 *
 * Each assignment to a shared variable below is one store of the C code, in
 * the order of the C code; what is local to an incarnation is computed in a
 * atomic and forgotten by recover().
 *
 * A write that the disk has given to the kernel lands in its own time, also
 * after the death of the disk.  A successor may be there already, prepared
 * (it stands by): it touches nothing before the fence has fallen, and that
 * is after the last write of its predecessor.
 *
 * Checked: a used element only for a head that the guest has outstanding,
 * and only with its status written (no request twice, none stale after a
 * reset); every request comes back (no invalid end state); overlapping
 * writes that were all answered leave the newest value; a head is never
 * executed after the reset that gave it up.
 *
 * -DMUTATE_...: an ordering rule broken on purpose; each must be found.
 * (Freeing the heads between the record and used.idx is no such rule: the
 * record alone decides what becomes of them.)
 */
#ifndef REQUESTS
#define REQUESTS	4
#endif
#ifndef CRASHES
#define CRASHES		2
#endif
#ifndef RESETS
#define RESETS		0
#endif

#define SIZE		4		/* of the queue: a power of two */
#define WRAP		8		/* indices count modulo this */
#define HEADS		3		/* that the guest uses at a time */
#define BLOCKS		2
#define NONE		255

/* Guest memory. */
byte avail_ring[SIZE];
byte avail_idx;
byte used_ring[SIZE];
byte used_idx;
byte request[HEADS];			/* what a head's chain says */
bool status_ok[HEADS];			/* the status byte */

/* The backing file. */
byte block[BLOCKS];
byte flying = NONE;			/* in the kernel, for the living */
byte late = NONE;			/* for the dead */

/* The state. */
bool s_resetting;
bool s_live = true;			/* DRIVER_OK, and the queue is ready */
byte s_order[HEADS];			/* with s_mark: one word */
bool s_mark[HEADS];
bool s_pending;				/* with the indices: one word */
byte s_old;
byte s_new;
byte s_batch[SIZE];

/* The driver's books, and the one register write that matters here. */
bool outstanding[HEADS];
bool reset_wanted;
bool finished;

/* The killer. */
bool crash_now;
byte crashes;

#define FREE_HEAD(h)	(h < HEADS && !outstanding[h])

proctype guest()
{
	byte h, sent, done, seen, resets, i;
	byte newest[BLOCKS];

	do
	:: sent < REQUESTS ->
		atomic {
			h = 0;
			do
			:: h < HEADS && outstanding[h] -> h++
			:: else -> break
			od;
			if
			:: h < HEADS ->
				outstanding[h] = true;
				request[h] = sent + 1;
				status_ok[h] = false;
				newest[sent % BLOCKS] = sent + 1;
				avail_ring[avail_idx % SIZE] = h;
				sent++
			:: else -> h = NONE
			fi
		};
		if
		:: h != NONE -> avail_idx = (avail_idx + 1) % WRAP
		:: else -> seen != used_idx || finished
		fi
	:: seen != used_idx ->
		atomic {
			h = used_ring[seen % SIZE];
			assert(h < HEADS);
			assert(outstanding[h]);
			assert(status_ok[h]);
			outstanding[h] = false;
			seen = (seen + 1) % WRAP;
			done++
		}
	:: resets < RESETS && sent < REQUESTS ->
		reset_wanted = true;
		!reset_wanted;
		atomic {
			resets++;
			i = 0;
			do
			:: i < HEADS ->
				if
				:: outstanding[i] -> done++
				:: else
				fi;
				outstanding[i] = false;
				request[i] = NONE;
				i++
			:: else -> break
			od;
			newest[0] = block[0];
			newest[1] = block[1];
			seen = 0;
			avail_idx = 0;
			used_idx = 0
		};
		s_live = true
	:: sent == REQUESTS && done == REQUESTS -> break
	od;
	atomic {
		i = 0;
		do
		:: i < BLOCKS ->
			assert(newest[i] == block[i]);
			i++
		:: else -> break
		od
	};
	finished = true
}

/* Execute one head: the backing, then the status byte. */
inline execute(x)
{
	assert(request[x] != NONE);
	flying = request[x];
	atomic {
		block[(flying + 1) % BLOCKS] = flying;
		flying = NONE
	};
	status_ok[x] = true
}

/* Mark one head in flight, with the next order number. */
inline mark(x)
{
#ifdef MUTATE_MARK_BEFORE_NUMBER
	s_mark[x] = true;
	s_order[x] = cursor + 1;
#else
	atomic {
		s_order[x] = cursor + 1;
		s_mark[x] = true
	};
#endif
	cursor++
}

inline record()
{
	k = 0;
	do
	:: k < count ->
		s_batch[k] = taken[k];
		k++
	:: else -> break
	od;
	atomic {
		s_old = shown % WRAP;
		s_new = (shown + count) % WRAP;
		s_pending = true
	}
}

/* The guest's used elements, then the one store that shows them. */
inline reveal()
{
	k = 0;
	do
	:: k < count ->
		used_ring[(shown + k) % SIZE] = taken[k];
		k++
	:: else -> break
	od;
	used_idx = (shown + count) % WRAP
}

inline release()
{
	k = 0;
	do
	:: k < count ->
		s_mark[taken[k]] = false;
		k++
	:: else -> break
	od
}

inline settle()
{
	s_pending = false;
	atomic {
		shown = (shown + count) % WRAP;
		count = 0;
		k = 0
	}
}

/* The batch in taken[0..count). */
inline publish()
{
#if defined(MUTATE_PUBLISH_BEFORE_RECORD)
	reveal();
	record();
	release();
	settle()
#elif defined(MUTATE_FREE_BEFORE_RECORD)
	release();
	record();
	reveal();
	settle()
#elif defined(MUTATE_SETTLE_BEFORE_FREE)
	record();
	reveal();
	s_pending = false;
	release();
	settle()
#elif defined(MUTATE_NO_RECORD)
	reveal();
	release();
	atomic {
		s_old = shown % WRAP;
		s_new = (shown + count) % WRAP
	};
	settle()
#else
	record();
	reveal();
	release();
	settle()
#endif
}

inline reset_all()
{
#ifdef MUTATE_RESET_WITHOUT_MARK
	skip;
#else
	s_resetting = true;
#endif
	k = 0;
	do
	:: k < HEADS ->
		atomic { s_mark[k] = false; s_order[k] = 0 };
		k++
	:: else -> break
	od;
	atomic { s_pending = false; s_old = 0; s_new = 0 };
	s_live = false;
	s_resetting = false;
	atomic { cursor = 0; shown = 0; count = 0; k = 0 };
	reset_wanted = false
}

/* The newest order number in the table, marked or not. */
inline derive_cursor()
{
	atomic {
		cursor = 0;
		k = 0;
		do
		:: k < HEADS ->
			if
			:: s_order[k] > cursor -> cursor = s_order[k]
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0
	}
}

/* The marked head with the lowest order number that is not below `from`. */
inline next_replay()
{
	atomic {
		h = NONE;
		k = 0;
		do
		:: k < HEADS ->
			if
#ifdef MUTATE_REPLAY_BACKWARDS
			:: s_mark[k] && s_order[k] <= from &&
			    (h == NONE || s_order[k] > s_order[h]) -> h = k
#else
			:: s_mark[k] && s_order[k] >= from &&
			    (h == NONE || s_order[k] < s_order[h]) -> h = k
#endif
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0
	}
}

inline recover()
{
	atomic { count = 0; k = 0; h = NONE; cursor = 0; shown = s_new };
	if
	:: s_resetting -> reset_all()
	:: else
	fi;
	if
	:: s_live && s_pending ->
		atomic {
			shown = s_old;
			count = (s_new + WRAP - s_old) % WRAP;
			do
			:: k < count ->
				taken[k] = s_batch[k];
				k++
			:: else -> break
			od;
			k = 0
		};
		if
		:: used_idx == s_new
		:: used_idx != s_new -> assert(used_idx == s_old); reveal()
		fi;
		release();
		settle()
	:: s_live && !s_pending -> assert(used_idx == shown)
	:: !s_live
	fi;
	derive_cursor();
#ifdef MUTATE_REPLAY_BACKWARDS
	from = 200;
#else
	from = 0;
#endif
	next_replay();
	do
	:: s_live && h != NONE ->
		execute(h);
		atomic {
			taken[count] = h;
			count++;
#ifdef MUTATE_REPLAY_BACKWARDS
			from = s_order[h] - 1
#else
			from = s_order[h] + 1
#endif
		};
		next_replay()
	:: else -> break
	od;
	if
	:: count > 0 -> publish()
	:: else
	fi
}

proctype disk()
{
	byte cursor, shown, count, k, h, from;
	byte taken[SIZE];

again:
	{
#ifndef MUTATE_NO_FENCE
		late == NONE;
#endif
		recover();
		do
		:: reset_wanted -> reset_all()
		:: !reset_wanted && s_live && count < SIZE &&
		    cursor % WRAP != avail_idx ->
			h = avail_ring[cursor % SIZE];
			mark(h);
			execute(h);
			atomic { taken[count] = h; count++ }
		:: count > 0 -> publish()
end:		:: finished && count == 0 -> break
		od
	} unless {
		crash_now ->
		atomic {
			crash_now = false;
			late = (flying != NONE -> flying : late);
			flying = NONE
		};
		if
		:: !finished -> goto again
		:: else
		fi
	}
}

/* What outlives a dead disk. */
proctype kernel()
{
end:	do
	:: late != NONE ->
		atomic {
			block[(late + 1) % BLOCKS] = late;
			late = NONE
		}
	od
}

proctype killer()
{
	do
	:: crashes < CRASHES && !finished ->
		atomic { crash_now = true; crashes++ };
		!crash_now || finished
	:: true -> break
	od
}

init {
	atomic { run guest(); run disk(); run kernel(); run killer() }
}

/* SPDX-License-Identifier: ISC */
/*
 * A request that blkd dies of: it is given up after three deaths, and no
 * other request is (blkd/serve_replay.c, lone.h); and the fences, one a
 * thread, that a successor waits for (shm/state.h, thread_fence).
 *
 * Several queues of one disk.  Each request is there from the start, and its
 * queue takes it when it likes; any set of them is poisonous, and ends blkd
 * at any instant from when it is handed to a thread for its I/O.  The threads
 * of the dead go on until each has noticed, its writes too.  What one queue
 * publishes is one step here: recovery.pml has the steps of that, and kills
 * that are nobody's fault.
 *
 * Sets of requests and of queues are bits of a byte; each atomic is one
 * store of the state, or what a queue does under the lock of lone.c.
 *
 * Checked: what is given up is poisonous; nothing is answered twice; each
 * request is answered in the end (no invalid end state), the poisonous ones
 * alone with an error; no I/O of a dead thread lands beside its successor.
 *
 * -DMUTATE_...: a rule broken on purpose; each must be found.
 */
#ifndef REQUESTS
#define REQUESTS	4
#endif
#ifndef QUEUES
#define QUEUES		2
#endif

#define DEATHS_MAX	3
#define BIT(n)		(1 << (n))
#define ALL		(BIT(REQUESTS) - 1)
#define ALL_QUEUES	(BIT(QUEUES) - 1)
#define DROP(set, bit)	set = set & ~(bit)
#define ADD(set, bit)	set = set | (bit)

/* Requests take turns among the queues. */
#if QUEUES == 2
#define OWN(q)		(85 << (q))
#else				/* 3 */
#define OWN(q)		(73 << (q))
#endif

/* The driver's. */
byte poison;
byte fresh = ALL;		/* not taken yet */
byte answered;
byte failed;			/* of those: with an error */

/* The state. */
byte s_mark;
byte s_deaths[REQUESTS];	/* with s_mark: one word each */
byte s_fence;			/* one a thread for I/O */

/* Of this incarnation, and forgotten with it. */
byte up = ALL_QUEUES;		/* queue threads; each holds a fence */
bool dead;			/* one is, and the others hear of it */
byte recover;			/* to be run again */
byte ready;			/* stored, to be handed over */
byte flying;			/* in the hands of a thread: one each */
byte finished;			/* to be published */
byte running;			/* either, as far as the queue knows */
byte last;			/* in their lone run */
byte q_in;			/* queues, as in lone.h; else they are OUT */
byte q_waits;
byte q_alone;

byte late;			/* flying, and its successor is attached */

#define UP		(up & BIT(q))
#define RUNS		((q_in | q_alone) & BIT(q))
#define ASKED		(q_waits | q_alone)
#define BUSY		((ready | running) & OWN(q))
#define NEXT		((recover & BIT(r)) && \
			(recover & OWN(q) & (BIT(r) - 1)) == 0 && \
			!(last & OWN(q)))
#ifdef MUTATE_CHARGE_AT_RECOVERY
#define DEATHS		s_deaths[r]
#else
#define DEATHS		(s_deaths[r] + 1)
#endif

/* To be run, with so many deaths stored before. */
inline again()
{
	s_deaths[r] = DEATHS;
	DROP(recover, BIT(r));
	ADD(ready, BIT(r))
}

/* A request: what its queue's thread, and the thread for its I/O, do. */
proctype request(byte r; byte q)
{
end:	do
	/* It is taken. */
	:: atomic { UP && (q_in & BIT(q)) && (fresh & BIT(r)) &&
	    !ASKED && !(recover & OWN(q)) ->
		DROP(fresh, BIT(r));
		ADD(s_mark, BIT(r));
		ADD(ready, BIT(r))
	    }
	/* A successor runs it again. */
	:: atomic { UP && RUNS && NEXT && DEATHS < DEATHS_MAX - 1 -> again() }
#ifdef MUTATE_ALONE_IN_ITS_QUEUE
	:: atomic { UP && RUNS && NEXT && DEATHS == DEATHS_MAX - 1 &&
	    !BUSY ->
#else
	:: atomic { UP && (q_in & BIT(q)) && NEXT &&
	    DEATHS == DEATHS_MAX - 1 && !BUSY ->
		DROP(q_in, BIT(q));
		ADD(q_waits, BIT(q))
	    }
	:: atomic { UP && (q_alone & BIT(q)) && NEXT &&
	    DEATHS == DEATHS_MAX - 1 && !BUSY ->
#endif
		again();
		ADD(last, BIT(r))
	    }
	:: atomic { UP && RUNS && NEXT && DEATHS >= DEATHS_MAX ->
		assert(poison & BIT(r));
		DROP(recover, BIT(r));
		ADD(failed, BIT(r));
		ADD(running, BIT(r));
		ADD(finished, BIT(r))
	    }
	/* To a thread, whose fence is taken first. */
#ifdef MUTATE_FENCE_AFTER_HANDOVER
	:: atomic { UP && (ready & BIT(r)) ->
		DROP(ready, BIT(r));
		ADD(running, BIT(r));
		ADD(flying, BIT(r))
	    }
	:: atomic { UP && (flying & BIT(r)) && !(s_fence & BIT(r)) ->
		ADD(s_fence, BIT(r))
	    }
#else
	:: atomic { UP && (ready & BIT(r)) && !(s_fence & BIT(r)) ->
		ADD(s_fence, BIT(r))
	    }
	:: atomic { UP && (ready & BIT(r)) && (s_fence & BIT(r)) ->
		DROP(ready, BIT(r));
		ADD(running, BIT(r));
		ADD(flying, BIT(r))
	    }
#endif
	/* It is carried out. */
	:: atomic { (flying & ~poison & BIT(r)) ->
		DROP(flying, BIT(r));
		ADD(finished, BIT(r))
	    }
	:: atomic { (flying & poison & BIT(r)) && !dead -> dead = true }
	:: atomic { UP && (finished & BIT(r)) ->
		assert(!(answered & BIT(r)));
		ADD(answered, BIT(r));
		DROP(s_mark, BIT(r));
		DROP(finished, BIT(r));
		DROP(running, BIT(r));
		DROP(last, BIT(r))
	    }
	/* The thread ends. */
	:: atomic { dead && (s_fence & BIT(r)) ->
		DROP(flying, BIT(r));
		DROP(s_fence, BIT(r))
	    }
	:: atomic { (late & BIT(r)) -> assert(!(late & BIT(r))) }
	od
}

/* lone.c, and the end of the queue's thread. */
proctype queue(byte q)
{
end:	do
	:: atomic { UP && !((q_in | q_waits | q_alone) & BIT(q)) &&
#ifndef MUTATE_ENTER_BESIDE_LONE
	    !ASKED &&
#endif
	    true -> ADD(q_in, BIT(q)) }
	:: atomic { UP && (q_waits & BIT(q)) &&
	    !((q_in | q_alone) & ~BIT(q)) ->
		DROP(q_waits, BIT(q));
		ADD(q_alone, BIT(q))
	    }
	:: atomic { UP && (q_in & BIT(q)) && ASKED && !BUSY &&
	    !(recover & OWN(q)) -> DROP(q_in, BIT(q)) }
	:: atomic { UP && (q_alone & BIT(q)) && !(recover & OWN(q)) &&
#ifndef MUTATE_SHARE_TOO_EARLY
	    !(last & OWN(q)) &&
#endif
	    true ->
		DROP(q_alone, BIT(q));
		ADD(q_in, BIT(q))
	    }
	:: atomic { dead && UP -> DROP(up, BIT(q)) }
	od
}

/* Attaches a successor, once all fences have fallen. */
proctype monitor()
{
	byte i;

end:	do
	:: atomic { dead && up == 0 &&
#ifdef MUTATE_ONE_FENCE
	    !(s_fence & 1) ->
#else
	    s_fence == 0 ->
#endif
		late = flying;
		flying = 0; ready = 0; finished = 0;
		running = 0; last = 0;
		q_in = 0; q_waits = 0; q_alone = 0;
#ifdef MUTATE_CHARGE_AT_RECOVERY
		i = 0;
		do
		:: i < REQUESTS ->
			s_deaths[i] = s_deaths[i] + (s_mark >> i & 1);
			i++
		:: else -> break
		od;
		i = 0;
#endif
		failed = failed & answered;
		recover = s_mark;
		s_fence = 0;
		dead = false;
		up = ALL_QUEUES
	    }
	od
}

proctype driver()
{
	answered == ALL;
	assert(failed == poison)
}

init {
	byte i;

	atomic {
		do
		:: i < REQUESTS ->
			if
			:: ADD(poison, BIT(i))
			:: skip
			fi;
			run request(i, i % QUEUES);
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < QUEUES -> run queue(i); i++
		:: else -> break
		od;
		i = 0;
		run monitor();
		run driver()
	}
}

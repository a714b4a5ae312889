package faults

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// judge holds every answer against the mesh that was in force while it was asked,
// and against the faults that may have kept it from being answered.
type judge struct {
	questions []question

	mu       sync.Mutex
	verdicts map[*policy][]bool // by question: allowed
	inForce  []span
	faults   []window
	row      counts
	again    int
	answers  []uint64 // by question, those that began after since
	since    int64
	told     []string // what was wrong, the first of it
	news     *sync.Cond
}

// span is a time with the policies that may rule in it: during a change either.
type span struct {
	from, to int64
	policies []*policy
}

// window is a time in which some questions may stay unanswered.
type window struct {
	from, to int64
	hits     func(question) bool
}

// counts are what is counted of one scenario.
type counts struct{ requests, served, refused, failed, wronglyAllowed, wronglyRefused int }

// toldAtMost bounds what is told of wrong answers.
const toldAtMost = 20

const forEver = math.MaxInt64

func newJudge(questions []question, policies ...*policy) (*judge, error) {
	j := &judge{questions: questions, verdicts: map[*policy][]bool{}, answers: make([]uint64, len(questions))}
	j.news = sync.NewCond(&j.mu)
	for _, p := range policies {
		for _, q := range questions {
			allowed, err := q.allowed(p)
			if err != nil {
				return nil, err
			}
			j.verdicts[p] = append(j.verdicts[p], allowed)
		}
	}
	return j, nil
}

// expect says which policies may rule from now on.
func (j *judge) expect(policies ...*policy) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := monotonic()
	if n := len(j.inForce); n > 0 {
		j.inForce[n-1].to = now
	}
	j.inForce = append(j.inForce, span{now, forEver, policies})
}

// mayFail opens a time in which some questions may stay unanswered; the function
// it gives ends it.
func (j *judge) mayFail(hits func(question) bool) (end func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := len(j.faults)
	j.faults = append(j.faults, window{monotonic(), forEver, hits})
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.faults[i].to = monotonic()
	}
}

// may tells which verdicts could hold for a question while it was asked.
func (j *judge) may(a answer) (allow, deny bool) {
	for _, s := range j.inForce {
		if s.from > a.End || s.to < a.Start {
			continue
		}
		for _, p := range s.policies {
			allow = allow || j.verdicts[p][a.Question]
			deny = deny || !j.verdicts[p][a.Question]
		}
	}
	return allow, deny
}

func (j *judge) excused(a answer) bool {
	return slices.ContainsFunc(j.faults, func(w window) bool {
		return w.from <= a.End && w.to >= a.Start && w.hits(j.questions[a.Question])
	})
}

// take counts an answer. The stamps of what may rule and of faults are taken under
// the same lock: what comes later than an answer's end cannot concern it.
func (j *judge) take(a answer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	allow, deny := j.may(a)
	excused := j.excused(a)
	if a.Again {
		j.again++
	}
	j.row.requests++
	switch {
	case a.Got == served && allow:
		j.row.served++
	case a.Got == served:
		j.row.wronglyAllowed++
		j.tell(a, "was let through without a grant")
	case a.Got == refused && deny, a.Got == closed && deny && !excused:
		j.row.refused++
	case a.Got != refused && excused:
		j.row.failed++
	default:
		j.row.wronglyRefused++
		j.tell(a, "was not answered as it should be")
	}
	if a.Start > j.since {
		j.answers[a.Question]++
		j.news.Broadcast()
	}
}

func (j *judge) tell(a answer, what string) {
	if len(j.told) < toldAtMost {
		j.told = append(j.told, fmt.Sprintf("%s %s: %s %s, %.1f s ago", j.questions[a.Question], what, a.Got, a.Detail, float64(monotonic()-a.Start)/1e9))
	}
}

// untilAsked waits until every question was answered n times that began after now,
// or until give up is closed; it names a question that was not.
func (j *judge) untilAsked(n uint64, giveUp <-chan struct{}) error {
	stop := make(chan struct{})
	defer close(stop)
	gone := false
	go func() {
		select {
		case <-giveUp:
			j.mu.Lock()
			gone = true
			j.news.Broadcast()
			j.mu.Unlock()
		case <-stop:
		}
	}()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.since = monotonic()
	clear(j.answers)
	for {
		i := slices.IndexFunc(j.answers, func(had uint64) bool { return had < n })
		switch {
		case i < 0:
			return nil
		case gone:
			return fmt.Errorf("the question was not asked %d times: %s", n, j.questions[i])
		}
		j.news.Wait()
	}
}

// turn gives what was counted since the last turn, and begins anew.
func (j *judge) turn() (counts, []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	row, told := j.row, j.told
	j.row, j.told = counts{}, nil
	return row, told
}

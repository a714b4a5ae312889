package memo_test

import (
	"math/rand/v2"
	"testing"

	"github.com/meshc/meshc/compiler/memo"
)

// sheet is a spreadsheet: cells are numbers, or sums of the cells they name.
type sheet struct {
	graph  *memo.Graph
	words  *memo.Table[int, string]
	sums   *memo.Table[int, int]
	even   *memo.Table[int, bool]
	thirds *memo.Table[int, int]    // a gate
	shown  *memo.Table[int, string] // behind the gates
	best   *memo.Table[int, bool]   // a gate behind a gate
	runs   map[int]int
}

func newSheet() *sheet {
	s := &sheet{graph: memo.New(), runs: map[int]int{}}
	s.tables()
	return s
}

func (s *sheet) tables() {
	s.words = memo.Inputs[int](s.graph, memo.Is[string])
	s.sums = memo.Func(s.graph, memo.Is[int], func(k int) int {
		s.runs[k]++
		return s.sum(k, s.sums.Get)
	})
	s.even = memo.Func(s.graph, memo.Is[bool], func(k int) bool {
		s.runs[-k]++
		return s.sums.Get(k)%2 == 0
	})
	s.thirds = memo.Gate(s.graph, 1, memo.Is[int], func(k int) int { return s.sums.Get(k) % 3 })
	s.shown = memo.Func(s.graph, memo.Is[string], func(k int) string {
		s.runs[100+k]++
		return s.words.Get(k) + string(rune('0'+s.thirds.Get(k))) + string(rune('0'+s.thirds.Get(k/2)))
	})
	s.best = memo.Gate(s.graph, 2, memo.Is[bool], func(k int) bool { return s.shown.Get(k) > s.shown.Get(k/3) })
}

// coldShown and coldBest compute without memory.
func (s *sheet) coldShown(k int) string {
	return s.words.Peek(k) + string(rune('0'+s.cold(k)%3)) + string(rune('0'+s.cold(k/2)%3))
}

func (s *sheet) coldBest(k int) bool { return s.coldShown(k) > s.coldShown(k/3) }

// sum reads a cell: one character for each cell that it adds up, all of them of
// lower number than its own, and 1.
func (s *sheet) sum(k int, of func(int) int) int {
	total := 1
	for _, c := range s.words.Get(k) {
		if n := int(c) - 'A'; n >= 0 && n < k {
			total += of(n)
		}
	}
	return total
}

// cold computes without memory.
func (s *sheet) cold(k int) int { return s.sum(k, s.cold) }

// A change runs what read it again, and nothing else; what comes out the same
// stops there.
func TestOnlyWhatReadAChangeRunsAgain(t *testing.T) {
	s := newSheet()
	s.graph.Begin(false)
	s.words.Set(1, "A")
	s.words.Set(2, "B")
	s.words.Set(3, "A")
	s.even.Get(2)
	s.sums.Get(3)
	s.graph.Commit()
	clear(s.runs)

	s.graph.Begin(false)
	s.words.Set(1, "AA")
	if s.sums.Get(2) != 4 || s.sums.Get(3) != 2 || s.runs[1] != 1 || s.runs[2] != 1 || s.runs[3] != 0 {
		t.Errorf("%d and %d after %v", s.sums.Get(2), s.sums.Get(3), s.runs)
	}
	s.graph.Commit()
	clear(s.runs)

	s.graph.Begin(false)
	s.words.Set(1, "AA ")
	if s.even.Get(2); s.runs[1] != 1 || s.runs[2] != 0 || s.runs[-2] != 1 {
		t.Errorf("a change without effect ran %v", s.runs)
	}
}

// What reads a value through a gate is left alone by changes that stop there, and
// finds those that do not.
func TestGatesStopChanges(t *testing.T) {
	s := newSheet()
	s.graph.Begin(false)
	s.words.Set(1, "A")
	s.words.Set(4, "B")
	s.shown.Get(8)
	s.graph.Commit()
	clear(s.runs)

	s.graph.Begin(true)
	s.words.Set(1, "AAAA")
	if s.shown.Get(8); s.sums.Get(4) != 6 || s.runs[4] != 1 || s.runs[108] != 0 {
		t.Errorf("a change that stops at a gate ran %v", s.runs)
	}
	s.words.Set(1, "AA")
	if got := s.shown.Get(8); got != s.coldShown(8) || s.runs[108] != 1 {
		t.Errorf("%q is not %q, after %v", got, s.coldShown(8), s.runs)
	}
	s.graph.Rollback()
	if got := s.shown.Get(8); got != s.coldShown(8) {
		t.Errorf("%q is not %q after a rollback", got, s.coldShown(8))
	}
}

// Whatever is changed, kept or undone, answers are those of a graph without memory.
func TestMemoryNeverShows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const size = 12
	s := newSheet()
	check := func(step int) {
		for range 4 {
			k := rnd.IntN(size)
			if got, want := s.sums.Get(k), s.cold(k); got != want || s.even.Get(k) != (want%2 == 0) {
				t.Fatalf("step %d: cell %d is %d, not %d %q", step, k, got, want, words(s, size))
			}
			if rnd.IntN(2) == 0 && s.best.Get(k) != s.coldBest(k) {
				t.Fatalf("step %d: what is behind the gates of cell %d is not %t %q", step, k, s.coldBest(k), words(s, size))
			}
		}
	}
	for step := range 20000 {
		kept := map[int]string{}
		for k := range size {
			kept[k] = s.words.Peek(k)
		}
		tentative := rnd.IntN(2) == 0
		s.graph.Begin(tentative)
		for range 1 + rnd.IntN(3) {
			word := make([]byte, rnd.IntN(4))
			for i := range word {
				word[i] = byte('A' + rnd.IntN(size))
			}
			s.words.Set(rnd.IntN(size), string(word))
			if rnd.IntN(3) == 0 {
				check(step)
			}
		}
		check(step)
		if !tentative || rnd.IntN(10) == 0 {
			s.graph.Commit()
			continue
		}
		s.graph.Rollback()
		if now := words(s, size); !same(kept, now) {
			t.Fatalf("step %d: %v was rolled back to %v", step, kept, now)
		}
		check(step)
	}
}

func words(s *sheet, size int) []string {
	out := make([]string, size)
	for k := range out {
		out[k] = s.words.Peek(k)
	}
	return out
}

func same(kept map[int]string, now []string) bool {
	for k, w := range now {
		if kept[k] != w {
			return false
		}
	}
	return true
}

// A graph that is asked once gives what one with memory gives, and asks each function
// once for a key.
func TestAGraphThatIsAskedOnceGivesTheSame(t *testing.T) {
	s := newSheet()
	once := &sheet{graph: memo.Once(), runs: map[int]int{}}
	once.tables()
	rnd := rand.New(rand.NewPCG(3, 4))
	for k := range 12 {
		word := make([]byte, rnd.IntN(6))
		for i := range word {
			word[i] = byte('A' + rnd.IntN(12))
		}
		s.words.Set(k, string(word))
		once.words.Set(k, string(word))
	}
	once.graph.Begin(false)
	for k := 1; k < 14; k++ { // the runs of 0 are counted together
		if got, want := once.sums.Get(k), s.sums.Get(k); got != want || once.even.Get(k) != s.even.Get(k) || once.words.Peek(k) != s.words.Peek(k) {
			t.Errorf("cell %d is %d, not %d", k, got, want)
		}
	}
	once.graph.Commit()
	for k, n := range once.runs {
		if n != 1 {
			t.Errorf("cell %d was made %d times", k, n)
		}
	}
}

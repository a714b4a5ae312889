package diag

import (
	"slices"
	"strings"
)

// Nearest is the candidate that is a typing slip away from a name, for
// "did you mean"; "" if there is none, or two are equally near.
func Nearest(name string, candidates []string) string {
	limit := max(1, len(name)/4)
	best, found, tie := limit+1, "", false
	for _, c := range candidates {
		if c == name || c == found {
			continue
		}
		switch d := distance(name, c, limit); {
		case d < best:
			best, found, tie = d, c, false
		case d == best && d <= limit:
			tie = true
		}
	}
	if tie {
		return ""
	}
	return found
}

// Certain tells that a near name may be written for the one that nothing has
// without asking: no digit differs, since v1 and v2 are near and mean two things,
// and it does not stand beside it already.
func Certain(name, near string, beside ...string) bool {
	return near != "" && digits(name) == digits(near) && !slices.Contains(beside, near)
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour; limit+1 when the lengths alone differ by more.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j-1]+cost, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

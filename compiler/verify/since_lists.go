package verify

// changed touches what one of two lists has and the other has not, or has
// elsewhere among what both have. Lists of one place in memory are equal.
func changed[T any, K comparable](old, now []T, key func(*T) K, same func(a, b *T) bool, touch func(*T)) {
	if !onePlace(old, now) {
		led(old, now, key, same, touch)
	}
}

// led is changed for what holds references: lists of one place may lead elsewhere.
func led[T any, K comparable](old, now []T, key func(*T) K, same func(a, b *T) bool, touch func(*T)) {
	for len(old) > 0 && len(now) > 0 && same(&old[0], &now[0]) {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && same(&old[len(old)-1], &now[len(now)-1]) {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	at := make(map[K]int, len(old))
	for i := range old {
		at[key(&old[i])] = i
	}
	taken, last := make([]bool, len(old)), -1
	for j := range now {
		i, ok := at[key(&now[j])]
		if ok && i > last && same(&old[i], &now[j]) {
			taken[i], last = true, i
			continue
		}
		touch(&now[j])
	}
	for i := range old {
		if !taken[i] {
			touch(&old[i])
		}
	}
}

package diag

// workloadCodes are MSH4xxx.
var workloadCodes = []Entry{}

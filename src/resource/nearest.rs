//! Finds the word that was probably meant.

/// Longer words get no suggestion: they are no misspelt names.
const CHARACTERS_MAX: usize = 64;

/// The candidate that is nearest to a word, if any is near: a third of the word may differ. Case counts for nothing.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = letters(word);
    if word.len() > CHARACTERS_MAX {
        return None;
    }
    let most = (word.len() / 3).max(1);
    candidates
        .map(|it| (letters(it), it))
        .filter(|(other, _)| other.len().abs_diff(word.len()) <= most)
        .map(|(other, it)| (distance(&word, &other), it))
        .filter(|(distance, _)| *distance <= most && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

fn letters(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).collect()
}

/// How many letters must be added, removed, changed or swapped with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let change = above[column] + usize::from(letter != other);
            let mut least = change.min(above[column + 1] + 1).min(current[column] + 1);
            let is_swap =
                row > 0 && column > 0 && from[row - 1] == *other && to[column - 1] == *letter;
            if is_swap {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[to.len()]
}

fn main() {
    let _ = charter::Formula(todo!());
}

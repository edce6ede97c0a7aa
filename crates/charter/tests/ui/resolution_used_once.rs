use charter::approval::{Order, Resolution};

fn both(one: Resolution) -> [Order; 2] {
    [Order::from(one), Order::from(one)]
}

fn main() {}
